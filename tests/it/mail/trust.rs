//! Whom we do not trust: wrong passwords, certificates of others, connections without TLS.

use std::path::Path;

use firstpass::config::{Auth, SecretFile, Tls};
use firstpass::mail::{MailFailure, Smtp};
use firstpass::sandbox::mailbox::{Effect, Options, Verb, When};

use super::{Post, failure, post, secret};

#[tokio::test]
async fn a_wrong_password_stops_mailing_f57() {
    let mut post_office = Post::new(Tls::Starttls);
    post_office.smtp.password_file = Some(secret(post_office.folder.path(), "wrong-password"));
    let failure = failure(post(&post_office.smtp()).await);
    let MailFailure::Stopped(why) = &failure else { panic!("{failure:?}") };
    assert!(why.contains("535 5.7.8") && why.contains("mail.smtp.password_file"), "{why}");
    assert!(!why.contains("wrong-password"), "{why}");
}

#[tokio::test]
async fn a_missing_password_or_no_way_to_sign_in_stops_mailing() {
    let mut post_office = Post::new(Tls::Starttls);
    post_office.smtp.password_file =
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
        unknown.smtp.ca_file = None;
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
        post_office.smtp.auth = auth;
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
    post_office.smtp.host = "192.0.2.1".to_owned();
    let found = failure(post(&post_office.smtp()).await);
    assert!(matches!(&found, MailFailure::Stopped(why) if why.contains("loopback")), "{found:?}");
}

#[test]
fn a_ca_file_that_is_none_is_told_at_once() {
    let mut post_office = Post::new(Tls::Starttls);
    let path = post_office.folder.path().join("none.pem");
    post_office.smtp.ca_file = Some(path.clone());
    for (text, why) in [
        ("nothing".to_owned(), "holds no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(), "holds a broken certificate"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n".to_owned(), "is damaged: a PEM block in it cannot be read"),
        ("x".repeat(1024 * 1024 + 1), "is larger than 1 MiB"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Smtp::new(&post_office.mail, &post_office.smtp, &post_office.limits).err().unwrap().to_string();
        assert!(error.starts_with("mail.smtp.ca_file: ") && error.ends_with(why), "{error}");
    }
}
