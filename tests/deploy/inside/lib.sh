# shellcheck shell=bash
# Runs inside a booted root, as root: the words that the stories of this folder are told in.
set -uo pipefail
failed=0
trap 'journalctl --no-pager -o short-precise >/out/journal 2>&1; exit "$failed"' EXIT

# Milliseconds of a clock that only goes forward.
ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

# step TEXT COMMAND…: must succeed; says how long it took.
step() {
  local text=$1 began
  shift
  began=$(ms)
  if "$@" >/tmp/step 2>&1; then
    printf '  ok      %6d ms  %s\n' $(($(ms) - began)) "$text"
  else
    printf '  FAILED  %6d ms  %s\n' $(($(ms) - began)) "$text"
    sed 's/^/          | /' /tmp/step | tail -n 8
    failed=1
  fi
}

# Without it nothing else can be told: the story ends.
crucial() {
  local before=$failed
  failed=0
  step "$@"
  [ "$failed" = 0 ] || exit 1
  failed=$before
}

# must_fail TEXT COMMAND…
must_fail() {
  local text=$1
  shift
  step "$text" not "$@"
}
not() { ! "$@"; }

# is WANTED COMMAND…: the command's output is exactly this.
is() {
  local wanted=$1 found
  shift
  found=$("$@" 2>&1) || true
  [ "$found" = "$wanted" ] || {
    echo "wanted: $wanted"
    echo "found:  $found"
    return 1
  }
}
has() {
  local wanted=$1
  shift
  "$@" >/tmp/has 2>&1 || true
  grep -qF -- "$wanted" /tmp/has || {
    cat /tmp/has
    return 1
  }
}

# prop NAME: of the service.
prop() { systemctl show firstpass.service --property="$1" --value; }

# props NAME…: several, in one line.
props() {
  local name all=()
  for name; do all+=("$(prop "$name")"); done
  echo "${all[*]}"
}

# within SECONDS COMMAND…: until it succeeds.
within() {
  local until=$(($(ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(ms)" -lt "$until" ] || return 1
    sleep 0.1
  done
}

# The model tenant and mail server as a service of their own; their ready line says ids and files.
model=/var/lib/model
start_model() {
  # PrivateUsers and the like are not for it: it is no part of what is tried.
  systemd-run --quiet --unit=model --property=StandardOutput=file:/run/model.log \
    /usr/bin/firstpass --json sandbox --serve "$model" &&
    within 30 grep -q '"what":"ready"' /run/model.log
}
of_model() { grep -m1 '"what":"ready"' /run/model.log | grep -o "\"$1\":\"[^\"]*\"" | cut -d'"' -f4; }
letters() { find "$model/letters" -name '*.eml' | wc -l; }
n_letters() { [ "$(letters)" = "$1" ]; }

# What an admin edits in `config init`'s example, answered for the model.
answer_settings() {
  install -m 0644 "$model/ca.pem" /etc/firstpass/model-ca.pem
  firstpass config init | sed \
    -e "s|^tenant_id = .*|tenant_id = \"$(of_model tenant_id)\"|" \
    -e "s|^client_id = .*|client_id = \"$(of_model client_id)\"|" \
    -e 's|^certificate_file = .*|client_secret_file = "graph-secret"|' \
    -e "s|^# login_url = .*|login_url = \"$(of_model tenant)\"|" \
    -e "s|^# graph_url = .*|graph_url = \"$(of_model tenant)\"|" \
    -e 's/^# ca_file = "\(model\|mail\)-ca.pem".*/ca_file = "model-ca.pem"/' \
    -e 's|^# zone = .*|zone = "Europe/Berlin"|' \
    -e "s|^host = .*|host = \"$(of_model mail_server | cut -d: -f1)\"|" \
    -e "s|^port = .*|port = $(of_model mail_server | cut -d: -f2)|" \
    -e "s|^username = .*|username = \"$(of_model mail_user)\"|" \
    -e 's|^poll = "0 \* \* \* \* \*"|poll = "*/2 * * * * *"|' \
    -e 's|^settle = .*|settle = "1s"|' >/etc/firstpass/firstpass.toml
  chown root:firstpass /etc/firstpass/firstpass.toml
  chmod 0640 /etc/firstpass/firstpass.toml
}

# As HR's account does it: a group member, with a umask that keeps others out.
# shellcheck disable=SC2016 # for the inner shell
drop_as_hr() { runuser -u hr-export -- sh -c 'umask 077; cat >/var/lib/firstpass/drop/"$1"' sh "$2" <"$1"; }

as_service() { runuser -u firstpass -- firstpass "$@"; }
