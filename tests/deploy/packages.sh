#!/usr/bin/env bash
# The .deb in a clean Debian root, installed, tried, upgraded, removed, installed again, purged: settings and
# state survive all but the purge. The .rpm, where cargo-generate-rpm and rpm are at hand: the same files, and
# the same life in a root of its own. Nothing is booted: tests/deploy/README.md
# shellcheck source=tests/deploy/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
need_package
fresh_root
mount_proc() { mount -t proc proc "$root/proc" 2>"$root.out/mount" || skip "/proc cannot be mounted here: $(cat "$root.out/mount")"; }
mount_proc

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root "$@"; }
as_service() { inside runuser -u firstpass -- firstpass "$@"; }
fail() {
  echo "tests/deploy/packages: FAILED: $*" >&2
  exit 1
}
same() { [ "$1" = "$2" ] || fail "$3: wanted \"$1\", found \"$2\""; }

newer=0.1.999
next=$work/next.deb

life() { # KIND INSTALL UPGRADE REMOVE
  local kind=$1
  $2
  local said
  said=$(inside firstpass --version | head -n 1)
  same 'firstpass:firstpass-drop 2770' "$(inside stat -c '%U:%G %a' /var/lib/firstpass/drop)" 'the drop folder'
  same 'root:firstpass 750' "$(inside stat -c '%U:%G %a' /etc/firstpass)" 'the folder of settings'
  inside test -s /usr/share/man/man1/firstpass-hire-show.1.gz || fail 'no manual pages'
  # shellcheck disable=SC2016
  inside bash -c '. /usr/share/bash-completion/completions/firstpass && complete -p firstpass' >/dev/null || fail 'completion'
  # An admin's settings, and a hire on record.
  inside sh -c 'firstpass config init | sed "s|^send_at.*|send_at = \"06:30\"|" >/etc/firstpass/firstpass.toml'
  printf 'employee_id,display_name,start_date,zone\nE1,Ada Berger,2999-01-04,Europe/Berlin\n' >"$root/tmp/hires.csv"
  chmod 0644 "$root/tmp/hires.csv"
  as_service import /tmp/hires.csv --feed hr >/dev/null || fail 'import'
  same 1 "$(as_service --json hire list | grep -c '"E1"')" 'hires on record'
  local settings
  settings=$(inside sha256sum /etc/firstpass/firstpass.toml)
  kept() {
    same "$settings" "$(inside sha256sum /etc/firstpass/firstpass.toml)" "settings after $1"
    inside test -s /var/lib/firstpass/state.db || fail "no state after $1"
  }
  $3
  kept "the $kind upgrade"
  same 1 "$(as_service --json hire list | grep -c '"E1"')" 'hires after the upgrade'
  $4
  kept "the $kind removal"
  inside test ! -e /usr/bin/firstpass || fail 'the program is still there'
  $2
  same 1 "$(as_service --json hire list | grep -c '"E1"')" 'hires after another installation'
  echo "tests/deploy/packages: $kind: $said installed, upgraded, removed, installed again; settings and state are kept"
}

dpkg_() { inside dpkg "$@" >"$root.out/dpkg" 2>&1 || fail "$(cat "$root.out/dpkg")"; }
deb_install() {
  cp "$package" "$root/p.deb"
  dpkg_ -i /p.deb
}
deb_upgrade() {
  cp "$next" "$root/p.deb"
  dpkg_ -i /p.deb
  # shellcheck disable=SC2016 # dpkg's own words
  same "$newer-1" "$(inside dpkg-query -W -f '${Version}' firstpass)" 'version'
}
deb_remove() { dpkg_ -r firstpass; }

cargo deb --no-build --no-strip --quiet --fast --deb-version "$newer-1" --output "$next" >/dev/null
life deb deb_install deb_upgrade deb_remove
mkdir -p "$root/etc/credstore" && touch "$root/etc/credstore/firstpass.smtp-password"
dpkg_ -P firstpass
for gone in /etc/firstpass /var/lib/firstpass /etc/credstore/firstpass.smtp-password; do
  inside test ! -e "$gone" || fail "$gone is there after a purge"
done
echo 'tests/deploy/packages: deb: a purge leaves nothing but the account'

command -v cargo-generate-rpm >/dev/null || skip 'the .rpm needs cargo-generate-rpm'
command -v rpm >/dev/null || skip 'the .rpm needs rpm (Debian: rpm)'
FIRSTPASS_BINARY=${FIRSTPASS_BINARY:-$target/release/firstpass} deploy/packages/build rpm >"$work/rpm.log" 2>&1 || fail "$(tail -n 20 "$work/rpm.log")"
rpms=("$target"/packages/firstpass-*.rpm)
cargo generate-rpm --auto-req builtin --target-dir "$target" --set-metadata "version = \"$newer\"" --output "$work/next.rpm"
files() { sed -e 's|/zsh/vendor-completions/|/zsh/site-functions/|' -e '/LICENSE$\|copyright$/d' -e '/\/$/d' | sort; }
diff <(dpkg-deb --fsys-tarfile "$package" | tar -t | sed 's|^\.||' | files) <(rpm -qlp "${rpms[0]}" | files) ||
  fail 'the .rpm does not hold the files of the .deb'
umount "$root/proc"
fresh_root
mount_proc
# Dependencies are a Fedora's; scripts run inside the root all the same.
rpm_() { rpm --root "$(realpath "$root")" --dbpath /var/lib/rpm --nodeps --nosignature "$@" >"$root.out/rpm" 2>&1 || fail "$(cat "$root.out/rpm")"; }
rpm_install() { rpm_ -i "${rpms[0]}"; }
rpm_upgrade() { rpm_ -U "$work/next.rpm"; }
rpm_remove() { rpm_ -e firstpass; }
life rpm rpm_install rpm_upgrade rpm_remove
