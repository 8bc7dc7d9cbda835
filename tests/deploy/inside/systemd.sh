#!/bin/bash
# The service under a real systemd: ready, credentials, a letter, no call that the filter refuses, the
# watchdog, a crash, reload, stop, a restart that goes on, unusable settings.
# shellcheck source=tests/deploy/inside/lib.sh
. /inside/lib.sh

drop_in() { # NAME TEXT
  mkdir -p /etc/systemd/system/firstpass.service.d
  printf '[Service]\n%s\n' "$2" >"/etc/systemd/system/firstpass.service.d/$1.conf"
  systemctl daemon-reload
}
pid() { prop MainPID; }
restarted() { [ "$(prop NRestarts)" = "$1" ] && [ "$(prop ActiveState)" = active ]; }
journal_has() { journalctl --no-pager -u firstpass.service | grep -qF -- "$1"; }
# The name of a letter is its time, number and recipient.
recipients_twice() { find "$model/letters" -name '*.eml' -printf '%f\n' | sed 's/^[^Z]*Z-[0-9]*-//' | sort | uniq -d; }
known() { as_service --json hire list | grep -c '"employee_id"'; }

crucial 'the package is installed' dpkg -i /package.deb
step 'installed, not enabled' is disabled systemctl is-enabled firstpass
step 'and not started' is inactive systemctl is-active firstpass
step 'the unit is as systemd wants it' is '' systemd-analyze verify --man=no firstpass.service

# Exit status 78 is not restarted; RestartSec is 5 s, so an attempt would be seen.
must_fail 'without settings it does not start' systemctl start firstpass
sleep 6
step 'exit status 78' is 78 prop ExecMainStatus
step 'and no second attempt' is '0 failed' props NRestarts ActiveState
systemctl reset-failed firstpass

step 'the model tenant and mail server are there' start_model
crucial 'settings are answered' answer_settings
install -d -m 0700 /etc/credstore /etc/credstore.encrypted
step 'a secret in the credential store' install -m 0600 "$model/graph-secret" /etc/credstore/firstpass.graph-secret
step 'another one encrypted for this machine' systemd-creds encrypt --name=smtp-password \
  "$model/smtp-password" /etc/credstore.encrypted/firstpass.smtp-password
sed 's/graph-key.pem/smtp-password/g' /usr/share/doc/firstpass/examples/encrypted-credentials.conf >/tmp/enc.conf
mkdir -p /etc/systemd/system/firstpass.service.d
cp /tmp/enc.conf /etc/systemd/system/firstpass.service.d/encrypted-credentials.conf
cp /usr/share/doc/firstpass/examples/egress.conf /etc/systemd/system/firstpass.service.d/
# Refused calls answer EPERM as shipped. Here they kill: what lives has made none.
drop_in strict 'SystemCallErrorNumber=kill'

# Filters on addresses are BPF, which not every container may load.
reach() { systemd-run --quiet --wait --collect "$@" bash -c ': </dev/tcp/127.0.0.1/18443'; }
if reach --property=IPAddressDeny=any; then
  echo '  (filters on addresses have no effect in this container: egress.conf is only read)'
else
  echo '  ok                  filters on addresses take effect, and egress.conf is among the drop-ins'
  step 'this machine is allowed by it' reach --property=IPAddressDeny=any --property=IPAddressAllow=localhost
fi

# All days of the story, under the same restrictions: every part of the program runs there once.
sed -e 's|^ExecStart=.*|ExecStart=/usr/bin/firstpass sandbox /var/lib/firstpass-play/days|' \
  -e 's|^Type=.*|Type=oneshot|' -e '/^ExecReload\|^Restart\|^Watchdog/d' \
  -e 's|^StateDirectory=.*|StateDirectory=firstpass-play|' -e 's|EPERM|kill|' \
  /usr/lib/systemd/system/firstpass.service >/etc/systemd/system/play.service
systemctl daemon-reload
step 'the sandbox plays under the same restrictions' systemctl start play

crucial 'it starts, and is ready' systemctl start firstpass
step 'active' is active prop ActiveState
step 'the watchdog as shipped' is '3min 9' props WatchdogUSec WatchdogSignal
step 'it says how it stands' has serving prop StatusText
step 'credentials are there' is $'graph-secret\nsmtp-password' ls /run/credentials/firstpass.service
useradd --system hr-export
usermod -aG firstpass-drop hr-export
must_fail "HR's account cannot read them" runuser -u hr-export -- cat /run/credentials/firstpass.service/graph-secret
must_fail "HR's account cannot see the state" runuser -u hr-export -- ls /var/lib/firstpass
must_fail 'nor the settings' runuser -u hr-export -- cat /etc/firstpass/firstpass.toml
step 'HR drops a file' drop_as_hr "$model/today.csv" hires.csv
step 'a letter arrives' within 30 n_letters 1
step 'the file lies in done/' within 10 sh -c 'ls /var/lib/firstpass/drop/done/hires*.csv'
step 'three hires are known' within 10 is 3 known
step 'no core can be written' grep -q 'Max core file size  *0  *0 ' "/proc/$(pid)/limits"
step 'no right of root' grep -q '^CapBnd:.0*$' "/proc/$(pid)/status"
step 'the filter is on' grep -q '^Seccomp:.2$' "/proc/$(pid)/status"
printf 'employee_id,start_date\nE9,03/04/2027\n' >/tmp/bad.csv
step 'a file with a bad row' drop_as_hr /tmp/bad.csv bad.csv
step 'HR reads the rejected row' within 20 runuser -u hr-export -- cat /var/lib/firstpass/drop/rejected/bad.rejected.csv

before=$(pid)
step 'reload' systemctl reload firstpass
cp /etc/firstpass/firstpass.toml /tmp/good.toml
sed -i 's|^send_at = .*|send_at = "25:00"|' /etc/firstpass/firstpass.toml
must_fail 'reload with bad settings fails' systemctl reload firstpass
step 'and says where' journal_has 'firstpass.toml:'
cp /tmp/good.toml /etc/firstpass/firstpass.toml
# What the text of the settings does not show.
sed -i 's|^client_secret_file = .*|client_secret_file = "gone"|' /etc/firstpass/firstpass.toml
must_fail 'reload without the secret of the only tenant fails' systemctl reload firstpass
step 'and says so' journal_has 'no tenant is usable'
install -d -m 0755 /etc/firstpass/letters
printf 'Subject: A pass\n\n{{ code }}\n' >/etc/firstpass/letters/letter.txt
sed 's|^\[mail\]$|[mail]\ntemplates = "/etc/firstpass/letters"|' /tmp/good.toml >/etc/firstpass/firstpass.toml
must_fail 'reload with a letter that cannot be written fails' systemctl reload firstpass
step 'and says where' journal_has 'letter.txt:1: letter.html is missing'
step 'the service lives on with the old ones' is "active $before" props ActiveState MainPID
cp /tmp/good.toml /etc/firstpass/firstpass.toml
step 'reload with good ones, and the secrets of the store' systemctl reload firstpass

rm /etc/systemd/system/firstpass.service.d/strict.conf
systemctl daemon-reload
step 'stop within stop_within (25 s)' timeout 25 systemctl stop firstpass
step 'a clean end' is 'success 0' props Result ExecMainStatus
crucial 'started again' systemctl start firstpass
step 'it goes on with what it knew' is 3 known

step 'stop' systemctl stop firstpass
groupadd --system firstpass-review
useradd --system --groups firstpass-review reviewer
cp /usr/share/doc/firstpass/examples/reviewers.conf /etc/systemd/system/firstpass.service.d/
sed -i 's|^# \(group = "firstpass-review"\)|\1|' /etc/firstpass/firstpass.toml
systemctl daemon-reload
crucial 'reviewers get a group of their own' systemctl start firstpass
step 'a reviewer reads the state' has 'SQLite format 3' runuser -u reviewer -- head -c 15 /var/lib/firstpass/state.db
must_fail 'and cannot write it' runuser -u reviewer -- sh -c ': >>/var/lib/firstpass/state.db'
must_fail "HR's account reads nothing of it" runuser -u hr-export -- head -c 15 /var/lib/firstpass/state.db
step 'HR drops another file' drop_as_hr "$model/today.csv" again.csv
step 'it is read' within 20 sh -c 'ls /var/lib/firstpass/drop/done/again*.csv'

step 'killed (SIGKILL)' systemctl kill --signal=KILL firstpass
step 'it is back' within 30 restarted 1

drop_in watchdog 'WatchdogSec=10s'
step 'restarted with a short watchdog' systemctl restart firstpass
sleep 25
step 'fed: still there after two periods and a half' is '0 active' props NRestarts ActiveState
step 'a loop that sticks (SIGSTOP)' systemctl kill --signal=STOP firstpass
step 'the watchdog ends it' within 40 journal_has 'Watchdog timeout'
step 'with SIGKILL, which leaves no core' journal_has 'with signal SIGKILL'
step 'it is back' within 30 restarted 1
step 'nobody got two letters in all of this' is '' recipients_twice
