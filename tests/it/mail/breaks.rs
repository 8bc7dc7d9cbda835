//! Connections that break, and servers that say nothing.

use std::time::Duration;

use firstpass::config::Tls;
use firstpass::mail::MailFailure;
use firstpass::sandbox::mailbox::{Effect, Verb, When};

use super::{Post, failure, letter, mia, now, post};

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
        assert!(matches!(found, MailFailure::Lost { .. }), "{verb:?} {when:?}: {found:?}");
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
            Verb::Dot => assert!(matches!(found, MailFailure::Lost { .. }), "{found:?}"),
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
