//! Letters over real sockets: our client against the model mail server in every mood it can have.
//!
//! Numbers in names (F51 …) are those of the list of faults. Nothing is mocked; short limits stand in
//! for long waits, and whatever is awaited ends by itself.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use firstpass::config::{self, Auth, Limits, SecretFile, Tls};
use firstpass::mail::{MailFailure, Receipt, Smtp};
use firstpass::rules::attempt::Code;
use firstpass::rules::calendar::Zone;
use firstpass::rules::hire::MailAddress;
use firstpass::rules::letter::{Letter, Letters, PassLetter};
use firstpass::sandbox::mailbox::{Effect, MailFault, ModelMailServer, Options, Recipients, Verb, When};
use firstpass::sandbox::tls::Ca;
use proptest::prelude::*;
use tempfile::TempDir;

const PASSWORD: &str = "mail-P4ssw0rd-canary";
const CODE: &str = "K7x9-Qp2m-canary";

/// A model server and a client that is set up for it.
struct Post {
    server: ModelMailServer,
    mail: config::Mail,
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
        let mail = config::Mail {
            from: config::Mailbox { name: "Onboarding".to_owned(), address: address("onboarding@contoso.example") },
            per_minute: 30,
            reply_to: None,
            help: None,
            smtp: config::Smtp {
                host: "localhost".to_owned(),
                port: server.port(),
                tls,
                auth: Auth::Password,
                username: "onboarding".to_owned(),
                password_file: Some(secret(folder.path(), PASSWORD)),
                ca_file: Some(ca_file),
            },
        };
        let limits =
            Limits { smtp_step: Duration::from_secs(5), smtp_data: Duration::from_secs(5), ..Limits::default() };
        Self { server, mail, limits, folder }
    }

    fn impatient(mut self) -> Self {
        self.limits.smtp_step = Duration::from_millis(200);
        self.limits.smtp_data = Duration::from_millis(200);
        self
    }

    fn smtp(&self) -> Smtp {
        Smtp::new(&self.mail, &self.limits).unwrap()
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

// What works.

#[tokio::test]
async fn a_letter_arrives_in_every_mode() {
    for tls in [Tls::Starttls, Tls::Implicit, Tls::None] {
        let post_office = Post::new(tls);
        let receipt = post(&post_office.smtp()).await.unwrap();
        assert_eq!(receipt.reply, "250 2.0.0 Ok: queued as MODEL0001");
        let letters = post_office.server.letters();
        let [letter] = letters.as_slice() else { panic!("{} letters", letters.len()) };
        assert_eq!(
            (letter.from.as_str(), letter.to.as_slice()),
            ("onboarding@contoso.example", &["mia@contoso.example".to_owned()][..])
        );
        assert_eq!(letter.user.as_deref(), Some("onboarding"));
        assert_eq!(letter.encrypted, tls != Tls::None);
        assert_eq!(letter.code().as_deref(), Some(CODE));
        assert_eq!(letter.header("Subject").as_deref(), Some("First sign-in of Ada Lovelace, start 2027-03-01"));
        assert_eq!(letter.header("Message-ID").as_deref(), Some("<pass.12-34@contoso.example>"));
        assert_eq!(letter.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        assert_eq!(letter.header("Cc"), None);
        assert_eq!(letter.header("Bcc"), None);
        assert!(letter.part("text/html").unwrap().contains(CODE));
    }
}

#[tokio::test]
async fn either_way_to_sign_in_is_taken() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let post_office = Post::with(Options { mechanisms: vec![mechanism.to_owned()], ..Options::default() });
        post(&post_office.smtp()).await.unwrap();
    }
}

#[tokio::test]
async fn letters_are_written_as_files_that_only_we_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let letters = folder.path().join("letters");
    let clock = firstpass::clock::Clock::hand(now());
    let post_office = Post::with(Options { folder: Some(letters.clone()), clock, ..Options::default() });
    post(&post_office.smtp()).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(&letters).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), "2027-03-01T0600Z-0001-mia@contoso.example.eml");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(file).unwrap(), post_office.server.letters()[0].raw);
}

#[tokio::test]
async fn one_connection_serves_many_letters() {
    let post_office = Post::new(Tls::Starttls);
    let smtp = post_office.smtp();
    for _ in 0..5 {
        post(&smtp).await.unwrap();
    }
    smtp.dial(&mia()).await.unwrap().hang_up().await;
    assert_eq!(post_office.server.letters().len(), 5);
    assert_eq!(post_office.server.connections(), 1);
    smtp.close().await;
    assert_eq!(post_office.server.count(Verb::Quit), 1);
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced_silently() {
    for farewell in [None, Some("421 4.4.2 localhost Error: timeout exceeded")] {
        let post_office = Post::new(Tls::Starttls);
        let smtp = post_office.smtp();
        post(&smtp).await.unwrap();
        post_office.server.close_all(farewell);
        post(&smtp).await.unwrap();
        assert_eq!(post_office.server.letters().len(), 2);
        assert_eq!(post_office.server.connections(), 2);
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_at_the_question_is_replaced_silently() {
    for verb in [Verb::Mail, Verb::Rcpt] {
        let post_office = Post::new(Tls::Starttls);
        let smtp = post_office.smtp();
        post(&smtp).await.unwrap();
        post_office.fault(verb, When::Before, Effect::Drop);
        post(&smtp).await.unwrap();
        assert_eq!(post_office.server.letters().len(), 2);
    }
}

#[tokio::test]
async fn a_password_that_was_changed_is_taken_at_the_next_login() {
    let post_office = Post::new(Tls::Starttls);
    let smtp = post_office.smtp();
    post(&smtp).await.unwrap();
    post_office.server.edit(|options| options.users = vec![("onboarding".to_owned(), "another".to_owned())]);
    post_office.server.close_all(None);
    assert!(matches!(failure(post(&smtp).await), MailFailure::Stopped(_)));
    secret(post_office.folder.path(), "another");
    post(&smtp).await.unwrap();
}

// Whom we do not trust.

#[tokio::test]
async fn a_wrong_password_stops_mailing_f57() {
    let mut post_office = Post::new(Tls::Starttls);
    post_office.mail.smtp.password_file = Some(secret(post_office.folder.path(), "wrong-password"));
    let failure = failure(post(&post_office.smtp()).await);
    let MailFailure::Stopped(why) = &failure else { panic!("{failure:?}") };
    assert!(why.contains("535 5.7.8") && why.contains("mail.smtp.password_file"), "{why}");
    assert!(!why.contains("wrong-password"), "{why}");
}

#[tokio::test]
async fn a_missing_password_or_no_way_to_sign_in_stops_mailing() {
    let mut post_office = Post::new(Tls::Starttls);
    post_office.mail.smtp.password_file =
        Some(SecretFile::new("mail.smtp.password_file", "/nowhere/at-all", None, Path::new("/")));
    assert!(matches!(failure(post(&post_office.smtp()).await), MailFailure::Stopped(_)));
    let post_office = Post::with(Options { mechanisms: vec!["GSSAPI".to_owned()], ..Options::default() });
    assert!(matches!(failure(post(&post_office.smtp()).await), MailFailure::Stopped(_)));
}

#[tokio::test]
async fn a_certificate_of_somebody_else_stops_mailing_f53() {
    for tls in [Tls::Starttls, Tls::Implicit] {
        // An authority that nobody knows.
        let mut unknown = Post::new(tls);
        unknown.mail.smtp.ca_file = None;
        let found = failure(post(&unknown.smtp()).await);
        assert!(matches!(&found, MailFailure::Stopped(why) if why.contains("mail.smtp.ca_file")), "{found:?}");
        // A certificate for another name.
        let wrong_name =
            Post::with(Options { tls, names: vec!["mail.contoso.example".to_owned()], ..Options::default() });
        let found = failure(post(&wrong_name.smtp()).await);
        assert!(matches!(found, MailFailure::Stopped(_)), "{found:?}");
        for post_office in [unknown, wrong_name] {
            assert_eq!(post_office.server.count(Verb::Auth), 0);
            assert_eq!(post_office.server.letters().len(), 0);
        }
    }
}

#[tokio::test]
async fn a_stripped_starttls_stops_mailing_and_nothing_is_said_in_clear_f51() {
    for auth in [Auth::Password, Auth::None] {
        let mut post_office = Post::with(Options { strip_starttls: true, ..Options::default() });
        post_office.mail.smtp.auth = auth;
        assert!(matches!(failure(post(&post_office.smtp()).await), MailFailure::Stopped(_)));
        for verb in [Verb::Starttls, Verb::Auth, Verb::Mail] {
            assert_eq!(post_office.server.count(verb), 0, "{verb:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_starttls_is_never_done_without() {
    let post_office = Post::new(Tls::Starttls);
    post_office.fault(Verb::Starttls, When::Before, Effect::Reply(454, "4.7.0 TLS not available".to_owned()));
    assert!(matches!(failure(post(&post_office.smtp()).await), MailFailure::Unreachable(_)));
    post_office.fault(Verb::Starttls, When::Before, Effect::Reply(502, "5.5.1 no".to_owned()));
    assert!(matches!(failure(post(&post_office.smtp()).await), MailFailure::Stopped(_)));
    assert_eq!(post_office.server.count(Verb::Auth), 0);
}

#[tokio::test]
async fn plain_answers_behind_starttls_never_count_f52() {
    let inject = b"250-localhost\r\n250 AUTH PLAIN LOGIN\r\n235 2.7.0 Welcome\r\n250 Ok\r\n".to_vec();
    let post_office = Post::with(Options { inject, ..Options::default() });
    let found = failure(post(&post_office.smtp()).await);
    assert!(matches!(found, MailFailure::Stopped(_)), "{found:?}");
    assert_eq!(post_office.server.count(Verb::Auth), 0);
    assert_eq!(post_office.server.letters().len(), 0);
}

#[tokio::test]
async fn plain_text_goes_to_this_machine_only() {
    let mut post_office = Post::new(Tls::None);
    post_office.mail.smtp.host = "192.0.2.1".to_owned();
    let found = failure(post(&post_office.smtp()).await);
    assert!(matches!(&found, MailFailure::Stopped(why) if why.contains("loopback")), "{found:?}");
}

#[test]
fn a_ca_file_that_is_none_is_told_at_once() {
    let mut post_office = Post::new(Tls::Starttls);
    let path = post_office.folder.path().join("none.pem");
    std::fs::write(&path, "nothing").unwrap();
    post_office.mail.smtp.ca_file = Some(path);
    let error = Smtp::new(&post_office.mail, &post_office.limits).err().unwrap().to_string();
    assert!(error.starts_with("mail.smtp.ca_file: ") && error.ends_with("holds no PEM certificate"), "{error}");
}

// What the server may say.

#[tokio::test]
async fn every_refusal_is_sorted_and_the_next_letter_goes_f56_f57() {
    use MailFailure as F;
    type Sort = fn(&MailFailure) -> bool;
    let table: [(Verb, u16, Sort); 17] = [
        (Verb::Connect, 421, |f| matches!(f, F::Unreachable(_))),
        (Verb::Connect, 450, |f| matches!(f, F::Unreachable(_))),
        (Verb::Connect, 554, |f| matches!(f, F::Stopped(_))),
        (Verb::Ehlo, 421, |f| matches!(f, F::Unreachable(_))),
        (Verb::Ehlo, 550, |f| matches!(f, F::Stopped(_))),
        (Verb::Auth, 454, |f| matches!(f, F::Unreachable(_))),
        (Verb::Auth, 535, |f| matches!(f, F::Stopped(_))),
        (Verb::Mail, 451, |f| matches!(f, F::Unreachable(_))),
        (Verb::Mail, 553, |f| matches!(f, F::Stopped(_))),
        (Verb::Rcpt, 450, |f| matches!(f, F::RecipientLater(_))),
        (Verb::Rcpt, 550, |f| matches!(f, F::RecipientRefused(_))),
        (Verb::Rcpt, 421, |f| matches!(f, F::Unreachable(_))),
        (Verb::Data, 451, |f| matches!(f, F::LetterLater(_))),
        (Verb::Data, 554, |f| matches!(f, F::LetterRefused(_))),
        (Verb::Dot, 452, |f| matches!(f, F::LetterLater(_))),
        (Verb::Dot, 421, |f| matches!(f, F::LetterLater(_))),
        (Verb::Dot, 552, |f| matches!(f, F::LetterRefused(_))),
    ];
    for (verb, code, sort) in table {
        let post_office = Post::new(Tls::Starttls);
        let smtp = post_office.smtp();
        post_office.fault(
            verb,
            When::Before,
            Effect::Reply(code, format!("{}.3.0 <mia@contoso.example> no", code / 100)),
        );
        let found = failure(post(&smtp).await);
        assert!(sort(&found), "{verb:?} {code}: {found:?}");
        assert!(found.to_string().contains(&code.to_string()), "{found}");
        assert!(!found.to_string().contains("mia@"), "{found}");
        assert_eq!(post_office.server.letters().len(), 0);
        post(&smtp).await.unwrap();
        assert_eq!(post_office.server.letters().len(), 1, "{verb:?} {code}");
    }
}

#[tokio::test]
async fn an_unknown_recipient_is_refused_before_anything_is_made() {
    let recipients = Recipients::Only(vec!["somebody@contoso.example".to_owned()]);
    let post_office = Post::with(Options { recipients, ..Options::default() });
    let smtp = post_office.smtp();
    assert!(matches!(failure(smtp.dial(&mia()).await), MailFailure::RecipientRefused(_)));
    let other = address("somebody@contoso.example");
    smtp.dial(&other).await.unwrap().hang_up().await;
    assert_eq!(post_office.server.connections(), 1);
}

#[tokio::test]
async fn a_letter_that_is_too_large_is_refused_for_good() {
    let post_office = Post::with(Options { max_bytes: 1000, ..Options::default() });
    assert!(matches!(failure(post(&post_office.smtp()).await), MailFailure::LetterRefused(_)));
}

#[tokio::test]
async fn a_letter_goes_only_to_whom_was_dialled() {
    let post_office = Post::new(Tls::Starttls);
    let dialled = post_office.smtp().dial(&mia()).await.unwrap();
    let other = letter_to(address("eve@contoso.example"), "Ada", "Mia", None);
    assert!(matches!(failure(dialled.send(now(), &other).await), MailFailure::LetterRefused(_)));
    assert_eq!(post_office.server.count(Verb::Data), 0);
}

#[tokio::test]
async fn nobody_listens_f56() {
    let post_office = Post::new(Tls::Starttls);
    post_office.server.stop();
    let smtp = post_office.smtp();
    assert!(matches!(failure(post(&smtp).await), MailFailure::Unreachable(_)));
    post_office.server.resume().unwrap();
    post(&smtp).await.unwrap();
}

// Connections that break, and servers that say nothing.

#[tokio::test]
async fn a_connection_that_breaks_before_the_dot_leaves_nothing_f59() {
    for verb in [Verb::Connect, Verb::Ehlo, Verb::Starttls, Verb::Auth, Verb::Mail, Verb::Rcpt, Verb::Data] {
        let post_office = Post::new(Tls::Starttls);
        let smtp = post_office.smtp();
        post_office.fault(verb, When::Before, Effect::Drop);
        let found = failure(post(&smtp).await);
        assert!(matches!(found, MailFailure::Unreachable(_)), "{verb:?}: {found:?}");
        assert_eq!(post_office.server.letters().len(), 0);
        post(&smtp).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_breaks_around_the_dot_leaves_a_doubt_f59() {
    for (verb, when, stored) in
        [(Verb::Body, When::Before, 0), (Verb::Dot, When::Before, 0), (Verb::Dot, When::After, 1)]
    {
        let post_office = Post::new(Tls::Starttls);
        let smtp = post_office.smtp();
        post_office.fault(verb, when, Effect::Drop);
        let found = failure(post(&smtp).await);
        // A short letter is wholly in the socket's buffer when the server closes in its middle.
        assert!(matches!(found, MailFailure::Lost(_)), "{verb:?} {when:?}: {found:?}");
        assert_eq!(post_office.server.letters().len(), stored);
        // The same message again.
        post(&smtp).await.unwrap();
        let ids: Vec<_> =
            post_office.server.letters().iter().map(|letter| letter.header("Message-ID").unwrap()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[tokio::test]
async fn a_letter_cut_before_its_dot_was_written_was_not_accepted_f59() {
    let post_office = Post::new(Tls::Starttls).impatient();
    let smtp = post_office.smtp();
    // Larger than all buffers between: the client still writes when the server has stopped reading.
    let mut long = letter();
    long.text.push_str(&"x".repeat(20_000_000));
    post_office.fault(Verb::Body, When::Before, Effect::Delay(Duration::from_secs(2)));
    let dialled = smtp.dial(&mia()).await.unwrap();
    let found = failure(dialled.send(now(), &long).await);
    assert!(matches!(found, MailFailure::Unreachable(_)), "{found:?}");
    assert_eq!(post_office.server.letters().len(), 0);
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    for verb in [Verb::Connect, Verb::Ehlo, Verb::Starttls, Verb::Auth, Verb::Mail, Verb::Rcpt, Verb::Data, Verb::Dot] {
        let post_office = Post::new(Tls::Starttls).impatient();
        let smtp = post_office.smtp();
        post_office.fault(verb, When::Before, Effect::Hold);
        let (found, ()) = tokio::join!(post(&smtp), post_office.server.held());
        let found = failure(found);
        match verb {
            Verb::Dot => assert!(matches!(found, MailFailure::Lost(_)), "{found:?}"),
            _ => assert!(matches!(found, MailFailure::Unreachable(_)), "{verb:?}: {found:?}"),
        }
        assert_eq!(post_office.server.letters().len(), 0);
    }
}

#[tokio::test]
async fn a_held_letter_goes_on_when_it_is_released() {
    let post_office = Post::new(Tls::Starttls);
    let smtp = post_office.smtp();
    post_office.fault(Verb::Dot, When::Before, Effect::Hold);
    let release = async {
        post_office.server.held().await;
        assert_eq!(post_office.server.letters().len(), 0);
        post_office.server.release();
    };
    let (receipt, ()) = tokio::join!(post(&smtp), release);
    receipt.unwrap();
    assert_eq!(post_office.server.letters().len(), 1);
}

#[test]
fn the_server_outlives_a_worker_that_dies_in_the_middle() {
    let post_office = Post::new(Tls::Starttls);
    let smtp = post_office.smtp();
    post_office.fault(Verb::Dot, When::After, Effect::Hold);
    let worker = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    worker.spawn(async move { post(&smtp).await });
    let observer = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    observer.block_on(post_office.server.held());
    worker.shutdown_background();
    assert_eq!(post_office.server.letters().len(), 1);
    observer.block_on(post(&post_office.smtp())).unwrap();
    assert_eq!(post_office.server.letters().len(), 2);
}

// What names can do, byte by byte.

/// One letter with these names through a real socket; one letter to one recipient must arrive.
fn through_the_wire(
    post_office: &Post,
    runtime: &tokio::runtime::Runtime,
    smtp: &Smtp,
    hire: &str,
    manager: &str,
    help: Option<String>,
) {
    let before = post_office.server.letters().len();
    let said = post_office.server.journal().len();
    let letter = letter_to(mia(), hire, manager, help);
    runtime.block_on(async { smtp.dial(&mia()).await.unwrap().send(now(), &letter).await }).unwrap();
    let letters = post_office.server.letters();
    assert_eq!(letters.len(), before + 1, "one message");
    let arrived = &letters[before];
    assert_eq!(arrived.to, ["mia@contoso.example"]);
    let commands: Vec<_> = post_office.server.journal()[said..].iter().map(|said| said.verb).collect();
    let question = [Verb::Mail, Verb::Rcpt, Verb::Data, Verb::Body, Verb::Dot];
    assert!(commands.ends_with(&question) && !commands.contains(&Verb::Other), "{commands:?}");
    assert!(arrived.wire.is_ascii());
    for line in arrived.wire.split_inclusive(|byte| *byte == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= 1000, "{line:?}");
        assert!(!line[..line.len() - 2].contains(&b'\r'), "{line:?}");
    }
    let names: Vec<String> = arrived.headers().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "MIME-Version",
        "Content-Type",
    ];
    assert_eq!(names, expected);
    assert_eq!(arrived.header("To").as_deref(), Some("mia@contoso.example"));
    assert_eq!(arrived.code().as_deref(), Some(CODE));
    for kind in ["text/plain", "text/html"] {
        assert_eq!(arrived.part(kind).unwrap().matches(CODE).count(), 1);
    }
    assert!(!arrived.header("Subject").unwrap().contains(CODE));
}

#[test]
fn names_are_only_names_f47_f48() {
    let post_office = Post::new(Tls::None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let smtp = post_office.smtp();
    let nasty = [
        "Name\r\nBcc: x@evil.example",
        "Name\n.\nMAIL FROM:<x@evil.example>\nRCPT TO:<y@evil.example>\nDATA\nx\n.\n",
        "\n.\r\nMAIL FROM:<x@evil.example>\r\n",
        "\r\n.\r\nRSET\r\n",
        "..",
        ".",
        "\0",
        "{{ code }}",
        "=?utf-8?b?DQpCY2M6IHhAZXZpbC5leGFtcGxl?=",
    ];
    for name in nasty {
        through_the_wire(&post_office, &runtime, &smtp, name, name, Some(name.to_owned()));
    }
    let strategy = (any::<String>(), "[ -~\r\n.\u{0}<>@\u{e4}]{0,80}", proptest::option::of(any::<String>()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    });
    runner
        .run(&strategy, |(hire, manager, help)| {
            through_the_wire(&post_office, &runtime, &smtp, &hire, &manager, help);
            Ok(())
        })
        .unwrap();
    assert_eq!(post_office.server.connections(), 1);
}

const PARSE: &str = r#"
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
walk = [p for p in m.walk() if not p.is_multipart()]
print(json.dumps({
    "to": [a.addr_spec for a in m["To"].addresses], "subject": m["Subject"], "defects": [str(d) for d in m.defects],
    "types": [p.get_content_type() for p in walk], "texts": [p.get_content() for p in walk],
    "defects_of_parts": [str(d) for p in walk for d in p.defects], "others": [h for h in m.keys() if h.lower() in ("cc", "bcc")],
}))
"#;

#[tokio::test]
async fn another_program_reads_the_same_letter() {
    let post_office = Post::new(Tls::Starttls);
    let smtp = post_office.smtp();
    let letter = letter_to(mia(), "Zoë Müller-Łukasiewicz 田中", "Mía", Some("Hilfe: 030 1234".to_owned()));
    smtp.dial(&mia()).await.unwrap().send(now(), &letter).await.unwrap();
    let raw = post_office.server.letters()[0].raw.clone();
    let Ok(mut python) =
        Command::new("python3").args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        println!("skipped: there is no python3 on this machine");
        return;
    };
    python.stdin.take().unwrap().write_all(&raw).unwrap();
    let output = python.wait_with_output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["to"], serde_json::json!(["mia@contoso.example"]));
    assert_eq!(seen["subject"], letter.subject.as_str());
    assert_eq!(seen["types"], serde_json::json!(["text/plain", "text/html"]));
    for empty in ["defects", "defects_of_parts", "others"] {
        assert_eq!(seen[empty], serde_json::json!([]), "{empty}");
    }
    assert_eq!(seen["texts"][0].as_str().unwrap().replace("\r\n", "\n"), *letter.text);
    assert_eq!(seen["texts"][1].as_str().unwrap().replace("\r\n", "\n"), *letter.html);
    assert_eq!(post_office.server.letters()[0].header("Subject").unwrap(), letter.subject);
}

// What is never said aloud.

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn neither_code_nor_password_is_ever_logged_f70_to_f75() {
    let heard = Heard::default();
    let writer = heard.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let mut said = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        tracing::trace!("heard at all");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for verb in [Verb::Noop, Verb::Auth, Verb::Mail, Verb::Rcpt, Verb::Data, Verb::Dot] {
                let post_office = Post::new(Tls::Starttls);
                let smtp = post_office.smtp();
                // Servers and filters that repeat what they were given.
                let echo = format!("5.7.0 no {CODE} <mia@contoso.example> {PASSWORD}");
                post_office.fault(verb, When::Before, Effect::Reply(550, echo));
                if let Err(failure) = post(&smtp).await {
                    said.push((verb, format!("{failure} {failure:?}")));
                }
            }
        });
    });
    assert_eq!(said.len(), 5);
    for (verb, text) in &said {
        assert!(!text.contains("mia@"), "{text}");
        // Only what the server can have learned by then is held back.
        match verb {
            Verb::Auth => assert!(!text.contains(PASSWORD), "{text}"),
            Verb::Data | Verb::Dot => assert!(!text.contains(CODE), "{text}"),
            _ => {}
        }
    }
    let log = String::from_utf8_lossy(&heard.0.lock().unwrap()).into_owned();
    assert!(log.contains("heard at all"));
    for secret in [CODE, PASSWORD] {
        assert!(!log.contains(secret), "{log}");
        // Base64 at any of the three offsets that a text can have.
        for shift in 0..3 {
            let encoded = STANDARD.encode(format!("{}{secret}", "x".repeat(shift)));
            let inner: String = encoded.chars().skip(4).take(12).collect();
            assert!(!log.contains(&inner), "{log}");
        }
    }
}
