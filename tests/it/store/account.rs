//! One account has one pass at a time, whichever hires name it (I4, F69), and however many workers ask.

use firstpass::rules::hire::PassState;
use firstpass::store::Claimed;
use futures_util::future::join_all;
use uuid::Uuid;

use super::{USER, at, claim, cleared, cleared_for, hire, issued, number, on_both, pending, postgres, sql, sqlite};

#[tokio::test]
async fn i4_no_intent_while_another_hire_may_have_a_live_pass() {
    on_both!(|store| {
        hire(&store, "E1").await;
        hire(&store, "E2").await;
        let now = at(6, 1);
        let (one, two) = (claim(&store, at(6, 0)).await.unwrap(), claim(&store, at(6, 0)).await.unwrap());
        let intended = store.intend(&one, now, cleared()).await.unwrap().unwrap();
        assert!(store.intend(&two, now, cleared()).await.unwrap().is_none(), "intended");
        let theirs = store.our_passes(now, USER, two.hire.id).await.unwrap().other.unwrap();
        assert_eq!((theirs.hire.to_string().as_str(), theirs.state), ("contoso/E1", PassState::Intended));
        assert_eq!(store.our_passes(now, USER, one.hire.id).await.unwrap().other, None, "its own is not another's");
        let pass = issued(&intended, "g");
        store.issued(&one, now, &pass, 480).await.unwrap();
        assert!(store.intend(&two, now, cleared()).await.unwrap().is_none(), "issued");
        assert!(store.mailing(&one, now, 1, "m").await.unwrap());
        assert!(store.intend(&two, now, cleared()).await.unwrap().is_none(), "mailing");
        assert!(store.delivered(&one, now, 1, None).await.unwrap());
        assert!(store.intend(&two, now, cleared()).await.unwrap().is_none(), "live");
        assert_eq!(number(&store, "SELECT count(*) FROM event WHERE what = 'intended'").await, 1);
        assert_eq!(
            number(&store, "SELECT CAST(sum(tries) AS BIGINT) FROM hire").await,
            1,
            "what was not asked is no try"
        );
        let other = store.intend(&two, now, cleared_for(Uuid::from_u128(0x12))).await.unwrap().unwrap();
        assert!(store.not_made(&two, now, other.pass_id(), false, "c").await.unwrap());

        // It ends by itself …
        store.rest(two, now, pending(Some(at(15, 59)))).await.unwrap();
        let two = claim(&store, at(15, 59)).await.unwrap();
        assert!(store.intend(&two, at(15, 59), cleared()).await.unwrap().is_none(), "a minute before its end");
        let free = store.intend(&two, at(16, 0), cleared()).await.unwrap().unwrap();
        assert!(store.not_made(&two, at(16, 0), free.pass_id(), false, "c").await.unwrap());

        // … or is deleted.
        sql(&store, "UPDATE hire SET look_at = 0 WHERE employee_id = 'E1'").await.unwrap();
        let (now, one) = (at(15, 59), claim(&store, at(15, 59)).await.unwrap());
        assert!(store.condemn(&one, now, 1, None, true, "c").await.unwrap());
        assert!(store.intend(&two, now, cleared()).await.unwrap().is_none(), "it may not be gone yet");
        assert!(store.gone(&one, now, 1).await.unwrap());
        assert!(store.intend(&two, now, cleared()).await.unwrap().is_some(), "gone");
        assert!(store.intend(&one, now, cleared()).await.unwrap().is_none(), "now the other way round");
    });
}

/// I23: on PostgreSQL each worker has a connection of its own, and none sees what the other has not committed.
#[tokio::test]
async fn i4_of_intents_at_one_moment_one_counts() {
    const ROUNDS: u128 = 12;
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        for round in 0..ROUNDS {
            let mut claims: Vec<Claimed> = Vec::new();
            for nth in 0..5 {
                hire(&store, &format!("E{round}-{nth}")).await;
                claims.push(claim(&store, at(6, 0)).await.unwrap());
            }
            let user = Uuid::from_u128(0x1000 + round);
            let asked = claims.iter().map(|claimed| store.intend(claimed, at(6, 1), cleared_for(user)));
            let written: Vec<_> = join_all(asked).await.into_iter().filter_map(Result::unwrap).collect();
            assert_eq!(written.len(), 1, "round {round}");
        }
    }
}
