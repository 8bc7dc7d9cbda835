#!/usr/bin/env python3
"""How soon `firstpass run` is ready with an empty state, and how much memory it idles in.

Usage: tests/bench/idle.py [BINARY] [RUNS]      (default: target/release/firstpass, 5 runs)

Ready: from the start of the process to its log line "ready". Memory: VmRSS of /proc three seconds
later. Standard library only; nothing outside this machine is asked.
"""
import json, os, signal, statistics, subprocess, sys, tempfile, time

SETTINGS = """
[state]
url = "sqlite:{dir}/state.db"
[[tenant]]
name = "contoso"
tenant_id = "11111111-2222-3333-4444-555555555555"
client_id = "11111111-2222-3333-4444-666666666666"
client_secret_file = "{dir}/secret"
[[feed]]
name = "hr"
tenant = "contoso"
kind = "csv"
folder = "{dir}/drop"
[mail]
from = "onboarding@contoso.example"
[mail.smtp]
host = "127.0.0.1"
port = 2525
tls = "none"
auth = "none"
[serve]
listen = "127.0.0.1:0"
"""


def once(binary):
    with tempfile.TemporaryDirectory() as dir:
        os.mkdir(f"{dir}/drop")
        with open(os.open(f"{dir}/secret", os.O_CREAT | os.O_WRONLY, 0o600), "w") as secret:
            secret.write("not-used")
        with open(f"{dir}/firstpass.toml", "w") as settings:
            settings.write(SETTINGS.format(dir=dir))
        began = time.monotonic()
        run = subprocess.Popen([binary, "--config", f"{dir}/firstpass.toml", "run"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in run.stdout:
            if json.loads(line)["message"] == "ready":
                break
        ready = time.monotonic() - began
        time.sleep(3)
        status = open(f"/proc/{run.pid}/status").read()
        resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        run.send_signal(signal.SIGTERM)
        run.communicate()
        assert run.returncode == 0, run.returncode
        return ready * 1000, resident / 1024


binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/firstpass"
runs = [once(binary) for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5)]
for name, unit, limit, values in [("ready", "ms", 80, [r for r, _ in runs]), ("idle", "MiB", 16, [m for _, m in runs])]:
    print(f"{name}: median {statistics.median(values):.1f} {unit}, from {min(values):.1f} to {max(values):.1f} "
          f"(wanted: below {limit})")
