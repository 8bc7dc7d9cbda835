//! Letters over real sockets: our client against the model mail server in every mood it can have.
//!
//! Numbers in names (F51 …) are those of the list of faults. Nothing is mocked; short limits stand in
//! for long waits, and whatever is awaited ends by itself.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use firstpass::config::{self, Auth, Limits, SecretFile, Tls, Via};
use firstpass::mail::{MailFailure, Receipt, Smtp};
use firstpass::rules::attempt::Code;
use firstpass::rules::calendar::Zone;
use firstpass::rules::hire::MailAddress;
use firstpass::rules::letter::{Letter, Letters, PassLetter};
use firstpass::sandbox::mailbox::{Effect, MailFault, ModelMailServer, Options, Verb, When};
use firstpass::sandbox::tls::Ca;
use tempfile::TempDir;

mod delivery;
mod trust;
mod answers;
mod breaks;
mod names;
mod silence;
mod old_tls;

const PASSWORD: &str = "mail-P4ssw0rd-canary";
const CODE: &str = "K7x9-Qp2m-canary";

/// A model server and a client that is set up for it.
struct Post {
    server: ModelMailServer,
    mail: config::Mail,
    smtp: config::Smtp,
    limits: Limits,
    folder: TempDir,
}

impl Post {
    fn new(tls: Tls) -> Self {
        Self::with(Options { tls, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let ca = Ca::new().unwrap();
        let tls = options.tls;
        let users = vec![("onboarding".to_owned(), PASSWORD.to_owned())];
        let server = ModelMailServer::start(&ca, Options { users, ..options }, 0).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, ca.pem()).unwrap();
        let smtp = config::Smtp {
            host: "localhost".to_owned(),
            port: server.port(),
            tls,
            auth: Auth::Password,
            username: "onboarding".to_owned(),
            password_file: Some(secret(folder.path(), PASSWORD)),
            ca_file: Some(ca_file),
        };
        let mail = config::Mail {
            from: config::Mailbox { name: "Onboarding".to_owned(), address: address("onboarding@contoso.example") },
            per_minute: 30,
            reply_to: None,
            help: None,
            language: String::new(),
            templates: None,
            via: Via::Smtp(smtp.clone()),
        };
        let limits =
            Limits { smtp_step: Duration::from_secs(5), smtp_data: Duration::from_secs(5), ..Limits::default() };
        Self { server, mail, smtp, limits, folder }
    }

    fn impatient(mut self) -> Self {
        self.limits.smtp_step = Duration::from_millis(200);
        self.limits.smtp_data = Duration::from_millis(200);
        self
    }

    fn smtp(&self) -> Smtp {
        Smtp::new(&self.mail, &self.smtp, &self.limits).unwrap()
    }

    fn fault(&self, verb: Verb, when: When, effect: Effect) {
        self.server.fault(MailFault { verb, nth: 1, when, effect });
    }
}

fn secret(folder: &Path, text: &str) -> SecretFile {
    use std::os::unix::fs::OpenOptionsExt;
    let path = folder.join("smtp-password");
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path).unwrap();
    writeln!(file, "{text}").unwrap();
    SecretFile::new("mail.smtp.password_file", path.to_str().unwrap(), None, folder)
}

fn address(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap()
}

fn mia() -> MailAddress {
    address("mia@contoso.example")
}

fn now() -> DateTime<Utc> {
    "2027-03-01T06:00:00Z".parse().unwrap()
}

fn letter_to(to: MailAddress, hire: &str, manager: &str, help: Option<String>) -> Letter {
    let facts = PassLetter {
        to,
        manager_name: manager.to_owned(),
        hire_name: hire.to_owned(),
        user: "ada@contoso.example".to_owned(),
        start: "2027-03-01T08:00:00Z".parse().unwrap(),
        zone: Zone::parse("Europe/Berlin").unwrap(),
        valid_from: "2027-03-01T08:00:00Z".parse().unwrap(),
        valid_until: "2027-03-01T16:00:00Z".parse().unwrap(),
        usable_at_once: false,
        one_time: true,
        earlier: false,
        help,
        language: String::new(),
        message_id: "pass.12-34@contoso.example".to_owned(),
    };
    Letters::built_in().pass(&facts, &Code::new(CODE.to_owned().into())).unwrap()
}

fn letter() -> Letter {
    letter_to(mia(), "Ada Lovelace", "Mia Chen", None)
}

async fn post(smtp: &Smtp) -> Result<Receipt, MailFailure> {
    smtp.dial(&mia()).await?.send(now(), &letter()).await
}

#[track_caller]
fn failure<T>(result: Result<T, MailFailure>) -> MailFailure {
    result.err().unwrap()
}
