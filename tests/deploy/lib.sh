# shellcheck shell=bash disable=SC2034 # names for those who source it
# Clean Debian roots for the scripts of this folder, and systemd booted in them. Sourced; read README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/deploy"
work=$(cd "$target/deploy" && pwd)
# What deploy/packages/build installed.
export PATH="${work%/deploy}/tools/bin:$PATH"
name=$(basename "$0" .sh)

# A root whose boot hangs is ended after so many seconds; a story takes a minute or two.
longest_boot=400

skip() {
  echo "tests/deploy/$name: skipped: $*"
  exit 0
}

# Debian packages, root and a network are not everywhere; what is missing is said, and nothing fails.
need_root() {
  [ "$(id -u)" = 0 ] || skip "it needs root"
  command -v debootstrap >/dev/null || skip "it needs debootstrap (Debian: debootstrap)"
}

need_boot() {
  need_root
  command -v systemd-nspawn >/dev/null || skip "it needs systemd-nspawn (Debian: systemd-container)"
}

# The .deb, made once for each binary: made again when something in it is newer.
# FIRSTPASS_DEB names another one.
need_package() {
  package=${FIRSTPASS_DEB:-}
  [ -z "$package" ] || return 0
  local newest
  newest=("$target"/packages/firstpass_*.deb)
  if [ -e "${newest[0]}" ] && [ -z "$(find Cargo.toml README.md deploy "${FIRSTPASS_BINARY:-$target/release/firstpass}" \
    -newer "${newest[0]}" -print -quit)" ]; then
    package=${newest[0]}
    return
  fi
  deploy/packages/build deb >"$work/build.log" 2>&1 || {
    tail -n 20 "$work/build.log" >&2
    exit 1
  }
  newest=("$target"/packages/firstpass_*.deb)
  package=${newest[0]}
}

# The base: Debian as small as it gets, with systemd. Kept from run to run.
base_root() {
  local codename
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") || true
  base=$work/base-${codename:=bookworm}
  [ -e "$base.made" ] && return
  rm -rf "$base"
  local mirror
  # shellcheck disable=SC2016 # apt-get's own words
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null |
    awk -v codename="$codename" '$2 == codename { print $1; exit }') || true
  echo "tests/deploy: making a $codename root (about half a minute, 250 MB)"
  if ! debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,tzdata \
    "$codename" "$base" ${mirror:+"$mirror"} >"$base.log" 2>&1; then
    skip "no Debian root could be made here ($base.log)"
  fi
  touch "$base.made"
}

throw_away() {
  ! mountpoint -q "$root/proc" || umount "$root/proc"
  ! mountpoint -q "$root" || umount -l "$root"
  rm -rf "$root" "$root.changes"
}

# A fresh one in $root, thrown away at the end: what is written lies above the base, which stays as it is.
fresh_root() {
  base_root
  root=$work/$name
  throw_away
  rm -rf "$root.out"
  mkdir -p "$root" "$root.out" "$root.changes/upper" "$root.changes/work"
  trap throw_away EXIT
  mount -t overlay overlay "$root" \
    -o "lowerdir=$base,upperdir=$root.changes/upper,workdir=$root.changes/work" 2>/dev/null ||
    cp -a --reflink=auto "$base/." "$root"
  # debootstrap leaves this to the installer.
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  cp -r tests/deploy/inside "$root/inside"
}

# Boots systemd in $root, runs /inside/$1 as root there, powers off. Its words come to $root.out/log.
boot() {
  cat >"$root/etc/systemd/system/story.service" <<UNIT
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/bash -c '/inside/$1 >/out/log 2>&1; echo \$? >/out/status'
ExecStopPost=/bin/systemctl --no-block poweroff
[Install]
WantedBy=default.target
UNIT
  mkdir -p "$root/etc/systemd/system/default.target.wants"
  ln -sf ../story.service "$root/etc/systemd/system/default.target.wants/"
  local began=$SECONDS ended=0
  # A network of its own: loopback alone, so the sandbox's fixed ports are free.
  timeout --kill-after=10 "$longest_boot" systemd-nspawn -q --register=no --keep-unit --boot \
    --directory="$root" --private-network --bind="$root.out:/out" </dev/null >"$root.out/console" 2>&1 || ended=$?
  # Ended by the clock: it boots here and hangs. A root that cannot be booted at all ends by itself, at once.
  case $ended in
    124 | 137)
      tail -n 20 "$root.out/console"
      [ ! -e "$root.out/log" ] || cat "$root.out/log"
      echo "tests/deploy/$name: FAILED: not over after $longest_boot s ($root.out/console)" >&2
      exit 1
      ;;
  esac
  if [ ! -s "$root.out/log" ] && [ ! -s "$root.out/status" ]; then
    tail -n 5 "$root.out/console"
    skip "systemd does not boot in a container here ($root.out/console)"
  fi
  cat "$root.out/log"
  [ "$(cat "$root.out/status" 2>/dev/null)" = 0 ] || {
    echo "tests/deploy/$name: FAILED (the journal: $root.out/journal)" >&2
    exit 1
  }
  echo "tests/deploy/$name: passed in $((SECONDS - began)) s"
}
