#!/usr/bin/env bash
# The service under a real systemd, booted in a clean Debian root: tests/deploy/README.md
# shellcheck source=tests/deploy/lib.sh
. "$(dirname "$0")/lib.sh"
need_boot
need_package
fresh_root
cp "$package" "$root/package.deb"
boot systemd.sh
