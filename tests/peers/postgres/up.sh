#!/bin/sh
# A throw-away PostgreSQL with TLS and passwords on loopback: `up.sh PORT TLS BIN`, where TLS is a folder with
# server.pem and server.key that everybody may read, and BIN that of PostgreSQL's programs. Prints its
# folder once it answers, serves until its standard input closes, then stops and removes everything. The
# user `hr` may sign in over TLS only, with the password pw-secret, to the database postgres.
set -eu
trap '' INT HUP
port=$1
tls=$2
bin=$3
cd /
dir=$(mktemp -d "${TMPDIR:-/tmp}/firstpass-pg-tls.XXXXXX")
trap '"$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
echo pw-secret >"$dir/password"
"$bin/initdb" -D "$dir/data" -A scram-sha-256 -U hr --pwfile="$dir/password" --no-sync -E UTF8 --locale=C >"$dir/log" 2>&1
echo 'hostssl all all 127.0.0.1/32 scram-sha-256' >"$dir/data/pg_hba.conf"
cp "$tls/server.pem" "$dir/data/server.crt"
cp "$tls/server.key" "$dir/data/server.key"
chmod 600 "$dir/data/server.key"
"$bin/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/log" \
  -o "-p $port -c listen_addresses=127.0.0.1 -k $dir -c ssl=on -c fsync=off" start >/dev/null </dev/null
echo "$dir"
cat >/dev/null
