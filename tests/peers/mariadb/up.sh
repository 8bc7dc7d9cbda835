#!/bin/sh
# A throw-away MariaDB on loopback: `up.sh PORT TLS`, where TLS is a folder with ca.pem, server.pem and
# server.key that everybody may read. Prints its folder once it answers, serves until its
# standard input closes, then stops and removes everything. The user root has no password, on the
# socket DIR/s.sock and on 127.0.0.1:PORT.
set -eu
trap '' INT HUP
port=$1
tls=$2
cd /
dir=$(mktemp -d "${TMPDIR:-/tmp}/firstpass-maria.XXXXXX")
user=$(id -un)
if [ "$user" = root ]; then
  # As Debian's package made it.
  user=mysql
  chown mysql "$dir"
fi
pid=
trap '[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
mariadb-install-db --no-defaults --auth-root-authentication-method=normal --datadir="$dir/data" --user="$user" \
  --skip-test-db --innodb-log-file-size=8M >"$dir/log" 2>&1
mariadbd --no-defaults --user="$user" --datadir="$dir/data" --bind-address=127.0.0.1 --port="$port" \
  --socket="$dir/s.sock" --pid-file="$dir/pid" --innodb-log-file-size=8M --innodb-flush-log-at-trx-commit=0 \
  --ssl-ca="$tls/ca.pem" --ssl-cert="$tls/server.pem" --ssl-key="$tls/server.key" \
  --skip-log-bin --max-connections=200 --loose-innodb-use-native-aio=0 >>"$dir/log" 2>&1 </dev/null &
pid=$!
n=0
until mariadb-admin --no-defaults -u root -S "$dir/s.sock" ping >/dev/null 2>&1; do
  n=$((n + 1))
  if [ "$n" -gt 300 ] || ! kill -0 "$pid" 2>/dev/null; then
    cat "$dir/log" >&2
    exit 1
  fi
  sleep 0.1
done
echo "$dir"
cat >/dev/null
