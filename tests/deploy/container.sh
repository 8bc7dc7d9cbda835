#!/usr/bin/env bash
# Builds deploy/container/Containerfile and tries the image: tests/deploy/container.sh [--compile] [BINARY]
# BINARY (default: the release build) is what the builder's cargo hands out, so that nothing is compiled here;
# every other line of the Containerfile is run as it stands, in a builder made of this machine's files, since
# base images are not always to be had. With --compile, which CI leaves out, the builder is a Debian made by
# debootstrap with this machine's Rust, and each line is run as it stands: a quarter of an hour on two cores.
# The container runs read-only, without capabilities, as its own user, and sends a letter by a sandbox tenant on
# loopback. Needs root, buildah, podman, runc, python3 and busybox (static), with --compile debootstrap and Debian's
# packages; says what it skips without them. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."

compile=
longest=300 # seconds for a step; most take one
driver=vfs  # works everywhere, and copies everything for each step
if [ "${1:-}" = --compile ]; then
  compile=yes
  longest=5400
  if grep -q overlay /proc/filesystems; then driver=overlay; fi
  shift
fi
binary=${1:-${FIRSTPASS_BINARY:-${CARGO_TARGET_DIR:-target}/release/firstpass}}
most=$((40 * 1024 * 1024)) # bytes of the image

skip() {
  echo "container: skipped: $*"
  exit 0
}
[ "$(id -u)" = 0 ] || skip "building and running images here takes root"
for tool in buildah podman runc busybox python3; do
  command -v "$tool" >/dev/null || skip "there is no $tool here (Debian: buildah podman runc busybox-static python3)"
done
ldd "$(command -v busybox)" >/dev/null 2>&1 && skip "busybox is not static here (Debian: busybox-static)"
[ -x "$binary" ] || { echo "container: there is no $binary; cargo build --release makes it" >&2; exit 1; }
binary=$(realpath "$binary")

dir=$(mktemp -d)
store=(--root "$dir/storage" --runroot "$dir/runroot" --storage-driver "$driver")
sandbox=
# No systemd that could ask for the health every half minute; it is asked below.
export DISABLE_HC_SYSTEMD=true
# What hangs fails.
podman() { timeout --kill-after=10 300 podman "${store[@]}" --cgroup-manager cgroupfs --events-backend file "$@"; }
buildah() { timeout --kill-after=10 "$longest" buildah "${store[@]}" "$@"; }
end_sandbox() {
  kill "$sandbox" 2>/dev/null || return 0
  for _ in $(seq 50); do
    kill -0 "$sandbox" 2>/dev/null || break
    sleep 0.2
  done
  kill -KILL "$sandbox" 2>/dev/null || true
  wait "$sandbox" 2>/dev/null || true
}
clean() {
  podman rm --force --time 0 firstpass-test >/dev/null 2>&1 || true
  if [ -n "$sandbox" ]; then end_sandbox; fi
  if [ -n "${mounted:-}" ]; then buildah umount "$mounted" >/dev/null 2>&1 || true; fi
  umount "$dir/storage/$driver" 2>/dev/null || true
  rm -rf "$dir"
}
trap clean EXIT
fail() {
  echo "container: FAILED: $*" >&2
  podman logs firstpass-test 2>&1 | tail -n 40 >&2 || true
  exit 1
}
ok() { printf 'container: %s\n' "$*"; }
# wait_for WHAT COMMAND…: at most half a minute.
wait_for() {
  local what=$1
  shift
  for _ in $(seq 150); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  fail "waited half a minute for $what"
}

# A builder as rust:…-bookworm is one, as far as the Containerfile can tell; its cargo hands out the binary.
stand_in() {
  mkdir -p "$builder"/{bin,usr/bin,usr/local/bin,etc/ssl/certs,usr/share,lib64,tmp,prebuilt}
  cp "$(command -v busybox)" "$builder/bin/busybox"
  for applet in sh mkdir cp chmod rm cat echo dirname test ls; do ln -s busybox "$builder/bin/$applet"; done
  ldd "$binary" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | while read -r library; do
    mkdir -p "$builder$(dirname "$library")"
    cp -L "$library" "$builder$library"
  done
  cp "$binary" "$builder/prebuilt/firstpass"
  cp -L /etc/ssl/certs/ca-certificates.crt "$builder/etc/ssl/certs/"
  cp -R /usr/share/zoneinfo "$builder/usr/share/zoneinfo"
  printf '#!/bin/sh\nmkdir -p target/release /var/lib/apt/lists && exec cp /prebuilt/firstpass target/release/firstpass\n' >"$builder/usr/local/bin/cargo"
  printf '#!/bin/sh\nexit 0\n' >"$builder/usr/local/bin/apt-get"
  chmod 0755 "$builder"/usr/local/bin/*
}

# The Rust image as it is made: Debian without a compiler, the toolchain below /usr/local. The crates are those
# that this machine has fetched: Cargo.lock holds them to their checksums, and nothing else may be fetched.
real_one() {
  local sysroot mirror
  sysroot=$(rustc --print sysroot)
  # shellcheck disable=SC2016 # apt-get's own words
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null | awk '$2 == "bookworm" { print $1; exit }') || true
  debootstrap --variant=minbase bookworm "$builder" ${mirror:+"$mirror"} >"$dir/debootstrap.log" 2>&1 ||
    skip "no Debian root could be made here: $(tail -n 3 "$dir/debootstrap.log")"
  mkdir -p "$builder/usr/local/lib" "$builder/usr/local/cargo"
  cp "$sysroot"/bin/{cargo,rustc} "$builder/usr/local/bin/"
  cp -a "$sysroot"/lib/. "$builder/usr/local/lib/"
  cargo fetch --locked --quiet
  crates=(--volume "$(realpath "${CARGO_HOME:-$HOME/.cargo}/registry"):/usr/local/cargo/registry:ro")
}

builder=$dir/builder
crates=()
if [ -n "$compile" ]; then
  command -v debootstrap >/dev/null || skip "there is no debootstrap here (Debian: debootstrap)"
  real_one
else
  stand_in
fi
{
  echo 'FROM scratch'
  echo 'COPY . /'
  echo 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true'
} >"$dir/Builderfile"
status=0
buildah bud --quiet --isolation chroot -t localhost/builder -f "$dir/Builderfile" "$builder" >/dev/null 2>"$dir/builder.err" || status=$?
case $status in
  0) ;;
  124 | 137) fail "buildah hangs: $(tail -n 5 "$dir/builder.err")" ;;
  *) skip "images cannot be built on this machine: $(tail -n 5 "$dir/builder.err")" ;;
esac
# A root to copy into is no proof that a command may run in it.
printf 'FROM localhost/builder\nRUN true\n' >"$dir/Runfile"
if ! buildah bud --quiet --isolation chroot -t localhost/may-run -f "$dir/Runfile" "$builder" >/dev/null 2>"$dir/builder.err"; then
  skip "nothing can be run in an image here: $(tail -n 5 "$dir/builder.err")"
fi
rm -rf "$builder"

version=$("$binary" --version | awk 'NR == 1 { print $2 }')
default=$(sed -n 's/^ARG VERSION=//p' deploy/container/Containerfile)
[ "$version" = "$default" ] || fail "ARG VERSION=$default in the Containerfile, but the program is $version"
began=$SECONDS
buildah bud --quiet --isolation chroot --format docker "${crates[@]}" --build-arg BUILDER=localhost/builder \
  --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo none)" \
  -t localhost/firstpass -f deploy/container/Containerfile . >"$dir/build.log" 2>&1 || fail "the build: $(tail -n 30 "$dir/build.log")"
if [ -n "$compile" ]; then ok "compiled from the Containerfile's own sources in $((SECONDS - began)) s"; fi
image=localhost/firstpass

size=$(podman image inspect --format '{{.Size}}' "$image")
[ "$size" -lt "$most" ] || fail "the image has $size bytes, more than $most"
ok "the image has $((size / 1024)) KiB"

get() { podman image inspect --format "$1" "$image"; }
[ "$(get '{{.Config.User}}')" = 65532:65532 ] || fail "its user is $(get '{{.Config.User}}')"
[ "$(get '{{json .Config.Entrypoint}} {{json .Config.Cmd}}')" = '["/usr/bin/firstpass"] ["run"]' ] || fail "its entry point: $(get '{{json .Config.Entrypoint}}')"
[ "$(get '{{json .HealthCheck.Test}}')" = '["CMD","/usr/bin/firstpass","health"]' ] || fail "its health check: $(get '{{json .HealthCheck.Test}}')"
[ "$(get '{{index .Config.Labels "org.opencontainers.image.version"}}')" = "$version" ] || fail "its label of the version"
ok "user, entry point, health check (exec form) and labels are as written"

container=$(buildah from "$image")
mounted=$container
root=$(buildah mount "$container")
programs=$(cd "$root" && find . -xdev -type f -perm /111 ! -name 'lib*.so*' ! -name 'ld-linux*' | sort)
[ "$programs" = ./usr/bin/firstpass ] || fail "programs in the image: $programs"
[ -z "$(find "$root" -xdev -perm /6000)" ] || fail "set-user-id files: $(find "$root" -xdev -perm /6000)"
foreign=$(cd "$root" && find . -xdev ! -uid 0 | sort)
[ "$foreign" = ./var/lib/firstpass ] || fail "not root's: $foreign"
open=$(cd "$root" && find . -xdev ! -type l -perm /022 | sort)
[ "$open" = ./tmp ] || fail "writable by others than their owner: $open"
[ "$(stat -c '%a %u:%g' "$root/var/lib/firstpass")" = '700 65532:65532' ] || fail "the folder of the state: $(stat -c '%a %u:%g' "$root/var/lib/firstpass")"
[ "$(grep -c 'BEGIN CERTIFICATE' "$root/etc/ssl/certs/ca-certificates.crt")" -gt 50 ] || fail "no authorities"
cp "$root/etc/ssl/certs/ca-certificates.crt" "$dir/roots.pem"
buildah umount "$container" >/dev/null
mounted=
ok "one program, no shell, nothing set-user-id, nothing writable but the state and /tmp"

# As deploy/compose.yaml and deploy/kubernetes run it; the network is this machine's loopback.
mkdir -p "$dir/state/drop" "$dir/etc" "$dir/secrets"
run=(--runtime runc --network host --read-only --read-only-tmpfs=false --cap-drop ALL
  --security-opt no-new-privileges --ulimit nofile=1024:1024 --ulimit nproc=1024:1024
  --volume "$dir/state:/var/lib/firstpass" --volume "$dir/etc:/etc/firstpass:ro")
# First as the platform's own test whether containers can be started at all.
if ! podman run --rm "${run[@]}" "$image" --version >"$dir/version" 2>"$dir/version.err"; then
  cat "$dir/version.err" >&2
  skip "the image is well, but containers cannot be started on this machine"
fi
zones=$(sed -n 's/^time-zone data: system \([^,]*\),.*/\1/p' "$dir/version")
if [ -z "$zones" ] || [ "$zones" = none ]; then fail "no time zones inside: $(cat "$dir/version")"; fi
ok "it starts read-only and without capabilities, time zones of the image: $zones"
if podman run --rm "${run[@]}" --entrypoint /bin/sh "$image" -c true >/dev/null 2>&1; then fail "there is a shell inside"; fi

# A tenant and a mail server on loopback. No ca_file: their authority stands among the image's own roots.
"$binary" sandbox --serve "$dir/sandbox" --tenant-port 0 --mail-port 0 >"$dir/sandbox.log" 2>&1 &
sandbox=$!
wait_for "the sandbox" test -e "$dir/sandbox/today.csv"
sed -e '/^ca_file/d' -e 's|^url = .*|url = "sqlite:/var/lib/firstpass/state.db"|' \
  -e 's|^folder = .*|folder = "/var/lib/firstpass/drop"|' "$dir/sandbox/firstpass.toml" >"$dir/etc/firstpass.toml"
# The network is this machine's: the usual port may be somebody's.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '\n[serve]\nlisten = "127.0.0.1:%s"\n' "$port" >>"$dir/etc/firstpass.toml"
cat "$dir/sandbox/ca.pem" >>"$dir/roots.pem"
cp "$dir/sandbox/graph-secret" "$dir/sandbox/smtp-password" "$dir/secrets/"
chown -R 65532:65532 "$dir/state" "$dir/secrets"
chmod 0700 "$dir/state"
chmod 0400 "$dir"/secrets/*
run+=(--volume "$dir/secrets:/run/secrets:ro" --volume "$dir/roots.pem:/etc/ssl/certs/ca-certificates.crt:ro")

podman run --rm "${run[@]}" "$image" check --offline >"$dir/check" 2>&1 || { cat "$dir/check" >&2; fail "check --offline"; }
cp "$dir/sandbox/today.csv" "$dir/state/drop/today.csv"
chown 65532:65532 "$dir/state/drop/today.csv"
podman run --detach --name firstpass-test "${run[@]}" "$image" >/dev/null
letter() { compgen -G "$dir/sandbox/letters/*.eml"; }
wait_for "a letter" letter
ok "TLS to the tenant and the mail server by the roots of the image, and a letter arrived"

podman exec firstpass-test /usr/bin/firstpass health >"$dir/health" 2>&1 || { cat "$dir/health" >&2; fail "health"; }
podman healthcheck run firstpass-test >/dev/null || fail "the health check of the image"
ok "healthy: $(head -n 1 "$dir/health")"
podman run --rm "${run[@]}" "$image" plan --days 2 >"$dir/plan" || { cat "$dir/plan" >&2; fail "plan"; }

began=$(date +%s%N)
podman stop --time 30 firstpass-test >/dev/null
took=$((($(date +%s%N) - began) / 1000000))
status=$(podman inspect --format '{{.State.ExitCode}}' firstpass-test)
[ "$status" = 0 ] || fail "SIGTERM ended it with $status after $took ms"
[ "$took" -lt 27000 ] || fail "SIGTERM took $took ms"
ok "SIGTERM ends it with 0 in $took ms"

# The state is a volume: the next container goes on with it, and a root that may be written to is not needed.
podman run --rm "${run[@]}" "$image" state check >"$dir/state-check" || { cat "$dir/state-check" >&2; fail "state check"; }
podman run --rm "${run[@]}" "$image" hire list --state delivered --json >"$dir/delivered"
grep -q '"delivered"' "$dir/delivered" || fail "the next container does not know what was delivered"
if podman run --rm "${run[@]}" "$image" state backup /etc/firstpass/copy.db >/dev/null 2>&1; then fail "it could write outside the state"; fi
podman run --rm "${run[@]}" "$image" state backup /var/lib/firstpass/copy.db >/dev/null || fail "state backup"
ok "the state outlives the container and is backed up from inside"
