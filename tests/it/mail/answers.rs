//! What the server may say: each refusal is sorted, and the next letter goes all the same.

use firstpass::config::Tls;
use firstpass::mail::MailFailure;
use firstpass::sandbox::mailbox::{Effect, Options, Recipients, Verb, When};

use super::{Post, address, failure, letter_to, mia, now, post};

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
