#!/bin/bash
# A newcomer on a bare Debian: installs the package, answers the settings, checks, starts, drops a file; a
# letter arrives. The model tenant and mail server stand in for Entra and the mail server.
# shellcheck source=tests/deploy/inside/lib.sh
. /inside/lib.sh

began=$(ms)
crucial 'install the package' dpkg -i /package.deb
step '(the model tenant and mail server are there)' start_model
crucial 'answer the settings' answer_settings
install -d -m 0700 /etc/credstore
for secret in graph-secret smtp-password; do
  step "put $secret into the credential store" install -m 0600 "$model/$secret" "/etc/credstore/firstpass.$secret"
done
# As operations.md has it: secrets that are not there are left out.
service="systemd-run -q -G --pipe --wait --uid=firstpass -p LoadCredential=graph-key.pem:firstpass.graph-key.pem \
  -p LoadCredential=graph-secret:firstpass.graph-secret -p LoadCredential=smtp-password:firstpass.smtp-password \
  -p LoadCredential=hr-database-url:firstpass.hr-database-url"
# shellcheck disable=SC2086 # several words
step 'check, with the account and the secrets of the service' $service -- firstpass check
useradd --system hr-export
step "let HR's account write the drop folder" usermod -aG firstpass-drop hr-export
crucial 'enable and start' systemctl enable --now firstpass
step 'HR drops a file' drop_as_hr "$model/today.csv" hires.csv
step 'a letter arrives' within 30 n_letters 1
step 'plan shows who comes next' has 'Ada Berger' as_service plan --days 7
printf '  from the package to the letter: %d.%d s\n' $((($(ms) - began) / 1000)) $((($(ms) - began) % 1000 / 100))
