#!/usr/bin/env bash
# The unit as systemd's own tools judge it: `verify` says nothing, the exposure is at most 1.1 as shipped and
# 1.0 with the drop-in that lists the egress addresses. Needs no root.
# shellcheck source=tests/deploy/lib.sh
. "$(dirname "$0")/lib.sh"
command -v systemd-analyze >/dev/null || skip "it needs systemd-analyze (Debian: systemd)"

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# `verify` wants programs that exist; it ends with 0 also when it does not know a key.
sed 's|/usr/bin/firstpass|/bin/true|' deploy/systemd/firstpass.service >"$place/firstpass.service"

# A reload asks what the service will ask; inside/systemd.sh tries it.
grep -q "^ExecReload=.*/usr/bin/firstpass config test && kill -HUP" deploy/systemd/firstpass.service || {
  echo "tests/deploy/unit: ExecReload does not ask \`firstpass config test\` before SIGHUP" >&2
  exit 1
}

judge() { # WHAT MOST
  local words exposure
  words=$(systemd-analyze verify --man=no "$place/firstpass.service" 2>&1) || true
  if [ -n "$words" ]; then
    echo "tests/deploy/unit: $1: systemd-analyze verify says: $words" >&2
    exit 1
  fi
  exposure=$(systemd-analyze security --offline=true --no-pager "$place/firstpass.service" | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
  if ! awk -v found="${exposure:-10}" -v most="$2" 'BEGIN { exit !(found <= most) }'; then
    systemd-analyze security --offline=true --no-pager "$place/firstpass.service" | grep '✗' >&2
    echo "tests/deploy/unit: $1: exposure ${exposure:-unknown}, at most $2 is wanted" >&2
    exit 1
  fi
  echo "tests/deploy/unit: $1: verify is silent, exposure $exposure"
}

judge 'as shipped' 1.1
mkdir "$place/firstpass.service.d"
cp deploy/systemd/egress.conf "$place/firstpass.service.d/"
judge 'with egress.conf' 1.0
cp deploy/systemd/encrypted-credentials.conf "$place/firstpass.service.d/"
judge 'with encrypted-credentials.conf besides' 1.0
cp deploy/systemd/reviewers.conf "$place/firstpass.service.d/"
judge 'with reviewers.conf besides' 1.3
