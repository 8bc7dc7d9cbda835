#!/usr/bin/env bash
# A stock mail server on loopback: Postfix takes letters (STARTTLS and implicit TLS, with a login),
# Dovecot checks logins and keeps the mailboxes. Everything lies in DIR; nothing of the machine's own
# mail is read or changed. Runs as root, because both drop to users of their own.
#
#   up.sh make DIR SUBMISSION SMTPS IMAPS LMTP SASL [INTROSPECTION]   ports on 127.0.0.1
#   up.sh start DIR
#   up.sh stop DIR
#
# INTROSPECTION is the port of a small web server that knows tokens (XOAUTH2). Logins are
# onboarding@contoso.example / right, and mia.manager@contoso.example / mailbox.
set -euo pipefail
verb=$1
dir=$2

make() {
  local submission=$1 smtps=$2 imaps=$3 lmtp=$4 sasl=$5 introspection=${6:-}
  mkdir -p "$dir"/{pf,queue,data,tls,dc,mail}
  chmod 755 "$dir"
  certificates
  chown mail:mail "$dir/mail"
  chown postfix "$dir/data"
  printf '%s\n' 'onboarding@contoso.example:{PLAIN}right' 'mia.manager@contoso.example:{PLAIN}mailbox' >"$dir/dc/users"
  chmod 644 "$dir/dc/users"
  dovecot_conf "$imaps" "$lmtp" "$sasl" "$introspection"
  postfix_conf "$submission" "$smtps" "$lmtp" "$sasl"
}

certificates() {
  cd "$dir/tls"
  local ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  openssl req -x509 "${ec[@]}" -keyout ca.key -out ca.pem -subj "/CN=Stock mail" -days 2 \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
  openssl req "${ec[@]}" -keyout srv.key -out srv.csr -subj "/CN=localhost" 2>/dev/null
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' >ext
  openssl x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out srv.pem 2>/dev/null
  chmod 644 ca.pem srv.pem
  cd - >/dev/null
}

dovecot_conf() {
  local imaps=$1 lmtp=$2 sasl=$3 introspection=$4 tokens='' mechanisms='plain login'
  if [ -n "$introspection" ]; then
    mechanisms='plain login xoauth2'
    tokens="passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = $dir/dc/oauth2.conf
}"
    cat >"$dir/dc/oauth2.conf" <<CONF
introspection_mode = auth
introspection_url = http://127.0.0.1:$introspection/
username_attribute = username
active_attribute = active
active_value = true
CONF
  fi
  cat >"$dir/dc/dovecot.conf" <<CONF
base_dir = $dir/dc/run
state_dir = $dir/dc/state
log_path = $dir/dc/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <$dir/tls/srv.pem
ssl_key = <$dir/tls/srv.key
auth_mechanisms = $mechanisms
# Wrong logins are answered at once: they are tests.
auth_failure_delay = 0
mail_location = maildir:$dir/mail/%u
first_valid_uid = 8
first_valid_gid = 8
$tokens
passdb {
  driver = passwd-file
  mechanisms = plain login none
  args = scheme=PLAIN username_format=%u $dir/dc/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$dir/mail/%u
}
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = $imaps
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = $lmtp
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = $sasl
  }
}
CONF
}

postfix_conf() {
  local submission=$1 smtps=$2 lmtp=$3 sasl=$4
  local login='-o smtpd_sasl_auth_enable=yes -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject'
  cat >"$dir/pf/master.cf" <<CONF
127.0.0.1:$submission inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes $login
127.0.0.1:$smtps inet n - n - - smtpd -o smtpd_tls_wrappermode=yes $login
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
anvil     unix  - - n - 1 anvil
error     unix  - - n - - error
retry     unix  - - n - - error
smtp      unix  - - n - - error
relay     unix  - - n - - error
lmtp      unix  - - n - - lmtp
postlog   unix-dgram n - n - 1 postlogd
CONF
  cat >"$dir/pf/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $dir/maillog
maillog_file_prefixes = $dir
myhostname = localhost
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.1/32
virtual_mailbox_domains = contoso.example
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:127.0.0.1:$lmtp
default_transport = error:no outside mail here
relay_transport = error:no outside mail here
smtp_dns_support_level = disabled
smtpd_tls_cert_file = $dir/tls/srv.pem
smtpd_tls_key_file = $dir/tls/srv.key
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:$sasl
alias_maps =
alias_database =
CONF
}

case $verb in
  make)
    shift 2
    make "$@"
    ;;
  start)
    # What stays must not hold the caller's pipes.
    dovecot -c "$dir/dc/dovecot.conf" </dev/null >"$dir/dc/start" 2>&1
    postfix -c "$dir/pf" start </dev/null >"$dir/pf/start" 2>&1
    ;;
  stop)
    postfix -c "$dir/pf" stop >/dev/null 2>&1 || true
    doveadm -c "$dir/dc/dovecot.conf" stop >/dev/null 2>&1 || true
    ;;
  *)
    echo "up.sh make DIR … | start DIR | stop DIR" >&2
    exit 2
    ;;
esac
