#!/usr/bin/env bash
# The newcomer's path, on a bare Debian root with systemd: tests/deploy/README.md
# shellcheck source=tests/deploy/lib.sh
. "$(dirname "$0")/lib.sh"
need_boot
need_package
fresh_root
cp "$package" "$root/package.deb"
boot newcomer.sh
