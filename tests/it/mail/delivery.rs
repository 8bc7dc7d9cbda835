//! What works: letters arrive in every mode, over connections that are kept and replaced.

use firstpass::config::Tls;
use firstpass::mail::MailFailure;
use firstpass::sandbox::mailbox::{Effect, Options, Verb, When};

use super::{CODE, Post, failure, mia, now, post, secret};

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
        assert_eq!(
            letter.header("Subject").as_deref(),
            Some("First sign-in of Ada Lovelace, start Monday, 1 March 2027")
        );
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
