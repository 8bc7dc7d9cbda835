#!/bin/sh
# MySQL's own server: Debian's stable releases have none, its unstable one has. Unpacks the package and
# the libraries that it wants into ./root, beside the system and without touching it. From the
# mirror that apt uses, checked against Debian's keys.
set -eu
apt=$PWD/apt
rm -rf "$apt" root
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" root
trap 'rm -rf "$apt"' EXIT
# What stands in the quotes is apt's to fill in.
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian main //p' | head -n 1)
cat >"$apt/unstable.sources" <<EOF
Types: deb
URIs: $mirror
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
: >"$apt/state/status"
get() {
  apt-get -q -o Dir::Etc::sourcelist="$apt/unstable.sources" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State="$apt/state" -o Dir::State::status="$apt/state/status" -o Dir::Cache="$apt/cache" \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}
get update
# shellcheck disable=SC2046
get -y --no-install-recommends --download-only install $(cat packages)
for package in "$apt"/cache/archives/*.deb; do
  dpkg-deb -x "$package" root
done
test -x root/usr/sbin/mysqld
