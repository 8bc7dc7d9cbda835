#!/bin/sh
# A throw-away MySQL on loopback: `up.sh PORT TLS ROOT`, where TLS is a folder with ca.pem, server.pem and
# server.key that everybody may read, and ROOT what fetch.sh unpacked. Prints its folder once it
# answers, serves until its standard input closes, then stops and removes everything. The user root has
# no password, on the socket DIR/s.sock and on 127.0.0.1:PORT.
set -eu
trap '' INT HUP
port=$1
tls=$2
root=$3
cd /
dir=$(mktemp -d "${TMPDIR:-/tmp}/firstpass-mysql.XXXXXX")
pid=
trap '[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
loader=$(echo "$root"/usr/lib/*/ld-linux*.so.*)
# With its own libraries: this system's are older.
server() {
  exec "$loader" --library-path "${loader%/*}" "$root/usr/sbin/mysqld" --no-defaults --user="$(id -un)" \
    --basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql" --datadir="$dir/data" \
    --character-sets-dir="$root/usr/share/mysql/charsets" --plugin-dir="$root/usr/lib/mysql/plugin" \
    --innodb-redo-log-capacity=64M --innodb-use-native-aio=0 --skip-log-bin --secure-file-priv=NULL "$@"
}
(server --initialize-insecure) >"$dir/log" 2>&1
(server --bind-address=127.0.0.1 --port="$port" --socket="$dir/s.sock" --pid-file="$dir/pid" --mysqlx=0 \
  --innodb-flush-log-at-trx-commit=0 --ssl-ca="$tls/ca.pem" --ssl-cert="$tls/server.pem" \
  --ssl-key="$tls/server.key" --max-connections=200 >>"$dir/log" 2>&1 </dev/null) &
pid=$!
n=0
until grep -q 'ready for connections.*s\.sock' "$dir/log"; do
  n=$((n + 1))
  if [ "$n" -gt 600 ] || ! kill -0 "$pid" 2>/dev/null; then
    cat "$dir/log" >&2
    exit 1
  fi
  sleep 0.1
done
echo "$dir"
cat >/dev/null
