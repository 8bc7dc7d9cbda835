//! The life of a pass row: every step counted under its claim, none twice, none out of order.

use firstpass::rules::hire::{Outcome, PassState, State};
use firstpass::store::{Filter, KeyText, PassRow, StoreError, View};
use uuid::Uuid;

use super::{
    LEASE, MANAGER, USER, at, claim, cleared, cleared_for, deliver, hire, issued, number, on_both, only_hire, pending,
    postgres, sql, sqlite,
};

#[tokio::test]
async fn the_story_of_one_letter_leaves_the_same_rows_on_both_engines() {
    let (hire, passes, review, events, letters, ours) = on_both!(|store| {
        hire(&store, "E1").await;
        let pass_id = deliver(&store, at(6, 1), "graph-1").await;
        (
            only_hire(&store).await,
            store.passes_of(1).await.unwrap(),
            store.review(View::Hire, &Filter::default()).await.unwrap(),
            store.events(Some(&KeyText("E1".into())), 100).await.unwrap(),
            store.letters_since(at(6, 0)).await.unwrap(),
            (store.our_graph_ids(USER).await.unwrap(), store.our_graph_ids(MANAGER).await.unwrap(), pass_id),
        )
    });
    assert_eq!((hire.state, hire.tries, hire.claims, hire.look_at), (State::Delivered, 1, 0, Some(at(8, 0))));
    assert_eq!(hire.channel, "mia@contoso.example");
    let expected = PassRow {
        id: 1,
        hire_id: 1,
        state: PassState::Mailed,
        user_id: USER,
        graph_id: Some("graph-1".into()),
        start: Some(at(8, 0)),
        lifetime_min: 480,
        one_time: true,
        recipient: "mia@contoso.example".into(),
        manager_id: MANAGER,
        made_at: at(6, 1),
        hire_revision: 1,
        from: Some(at(8, 0)),
        until: Some(at(16, 0)),
        mailed_at: Some(at(6, 1)),
        message_id: "<1@firstpass>".into(),
        looks: 0,
        look_at: Some(at(8, 0)),
        outcome: None,
        owes: false,
        cause: String::new(),
    };
    assert_eq!(passes, [expected]);
    assert_eq!(letters, [at(6, 1)]);
    assert_eq!(ours, (vec!["graph-1".to_owned()], vec![], 1));
    assert_eq!(
        events.iter().map(|event| event.what.as_str()).collect::<Vec<_>>(),
        ["intended", "issued", "mailing", "delivered"]
    );
    for event in &events {
        assert!(!event.why.contains('@') || event.what == "mailing", "events hold ids only: {}", event.why);
        assert!(!event.why.contains("canary"));
    }
    insta::assert_json_snapshot!("store_review_row", review);
    insta::assert_json_snapshot!("store_events", events);
}

#[tokio::test]
async fn every_step_counts_nothing_without_the_token_or_behind_the_lease() {
    on_both!(|store| {
        hire(&store, "E1").await;
        let mut claimed = claim(&store, at(6, 0)).await.unwrap();
        let (late, soon) = (at(6, 5), at(6, 1));
        assert!(store.intend(&claimed, late, cleared()).await.unwrap().is_none(), "the lease is over");
        let intended = store.intend(&claimed, soon, cleared()).await.unwrap().unwrap();
        let (pass, id) = (issued(&intended, "g"), intended.pass_id());
        let ours = claimed.token;

        claimed.token = Uuid::from_u128(77);
        assert!(store.intend(&claimed, soon, cleared()).await.unwrap().is_none());
        assert_eq!(store.issued(&claimed, soon, &pass, 480).await.unwrap(), None);
        assert!(!store.mailing(&claimed, soon, id, "m").await.unwrap());
        assert!(!store.delivered(&claimed, soon, id, None).await.unwrap());
        assert!(!store.received(&claimed, soon, id, "g").await.unwrap());
        assert!(!store.condemn(&claimed, soon, id, None, false, "c").await.unwrap());
        assert!(!store.gone(&claimed, soon, id).await.unwrap());
        assert!(!store.over(&claimed, soon, id, None, "c").await.unwrap());
        assert!(!store.not_made(&claimed, soon, id, true, "c").await.unwrap());
        assert!(!store.looked(&claimed, soon, id, 1, None).await.unwrap());
        assert!(!store.told_void(&claimed, soon, id).await.unwrap());
        assert_eq!(store.renew(&mut claimed, soon, LEASE).await.unwrap(), None);

        claimed.token = ours;
        assert_eq!(store.issued(&claimed, late, &pass, 480).await.unwrap(), None);
        assert!(!store.not_made(&claimed, late, id, true, "c").await.unwrap());
        assert!(!store.over(&claimed, late, id, None, "c").await.unwrap());
        assert_eq!(store.renew(&mut claimed, late, LEASE).await.unwrap(), None, "a lease that is over stays over");
        let n_events = number(&store, "SELECT count(*) FROM event").await;
        assert_eq!(n_events, 1, "what did not count left no event");

        assert_eq!(store.renew(&mut claimed, soon, LEASE).await.unwrap(), Some(1));
        assert_eq!(claimed.lease_until, at(6, 6));
        assert!(store.issued(&claimed, late, &pass, 480).await.unwrap().is_some(), "renewed");
        assert!(!store.mailing(&claimed, at(6, 6), id, "m").await.unwrap(), "over again");
        assert!(store.mailing(&claimed, late, id, "m").await.unwrap());
        assert!(!store.mailing(&claimed, late, id, "m").await.unwrap(), "once");
    });
}

#[tokio::test]
async fn an_accepted_letter_is_recorded_late_and_twice_but_not_behind_a_new_holder() {
    on_both!(|store| {
        hire(&store, "E1").await;
        let claimed = claim(&store, at(6, 0)).await.unwrap();
        let intended = store.intend(&claimed, at(6, 0), cleared()).await.unwrap().unwrap();
        let pass = issued(&intended, "g");
        store.issued(&claimed, at(6, 0), &pass, 480).await.unwrap();
        assert!(store.mailing(&claimed, at(6, 0), 1, "m").await.unwrap());
        assert!(
            store.delivered(&claimed, at(7, 0), 1, Some(at(8, 0))).await.unwrap(),
            "the lease was over, nobody came"
        );
        assert!(store.delivered(&claimed, at(7, 0), 1, Some(at(8, 0))).await.unwrap(), "the commit's answer was lost");
        assert_eq!(number(&store, "SELECT count(*) FROM event WHERE what = 'delivered'").await, 1);

        hire(&store, "E2").await;
        let first = claim(&store, at(6, 0)).await.unwrap();
        let another = cleared_for(Uuid::from_u128(0x12));
        let intended = store.intend(&first, at(6, 0), another).await.unwrap().unwrap();
        let pass = issued(&intended, "h");
        store.issued(&first, at(6, 0), &pass, 480).await.unwrap();
        assert!(store.mailing(&first, at(6, 0), 2, "m").await.unwrap());
        let second = claim(&store, at(6, 5)).await.unwrap();
        assert_eq!(second.passes.len(), 1);
        assert!(!store.delivered(&first, at(6, 5), 2, None).await.unwrap(), "somebody settles it already");
        assert!(store.condemn(&second, at(6, 5), 2, None, true, "the worker ended").await.unwrap());
    });
}

#[tokio::test]
async fn a_second_intent_is_impossible_while_one_is_unsettled() {
    on_both!(|store| {
        hire(&store, "E1").await;
        let claimed = claim(&store, at(6, 0)).await.unwrap();
        let n = at(6, 0);
        assert!(store.intend(&claimed, n, cleared()).await.unwrap().is_some());
        assert!(store.intend(&claimed, n, cleared()).await.unwrap().is_none(), "intended");
        assert!(store.condemn(&claimed, n, 1, Some("g1"), false, "unknown outcome").await.unwrap());
        assert!(store.intend(&claimed, n, cleared()).await.unwrap().is_none(), "condemned");
        assert!(store.gone(&claimed, n, 1).await.unwrap());
        let again = store.intend(&claimed, n, cleared()).await.unwrap().unwrap();
        assert_eq!(only_hire(&store).await.tries, 2, "an intent that did not count burns no try");
        assert!(store.not_made(&claimed, n, again.pass_id(), false, "connection refused").await.unwrap());
        assert_eq!(only_hire(&store).await.tries, 1, "what never reached Graph is no try");
        let second = store.intend(&claimed, n, cleared()).await.unwrap().unwrap();
        // Also not by hand, and not by a statement that we may write one day.
        let twin = "INSERT INTO pass (hire_id, state, claim_token, user_id, lifetime_min, one_time, recipient,
                      manager_id, made_at, hire_revision) VALUES (1, 'mailing', 't', 'u', 1, 1, 'r', 'm', 0, 1)";
        assert!(sql(&store, twin).await.is_err());
        drop(second);
        store.our_graph_ids(USER).await.unwrap()
    });
}

#[tokio::test]
async fn how_passes_end() {
    let (passes, letters, events) = on_both!(|store| {
        hire(&store, "E1").await;
        let n = at(9, 0);
        // Delivered, then moved: condemned, a delete fails once, gone; a newer letter to the same address pays the debt.
        deliver(&store, at(6, 1), "g1").await;
        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let claimed = claim(&store, n).await.unwrap();
        assert!(store.condemn(&claimed, n, 1, None, true, "the start moved").await.unwrap());
        assert_eq!(only_hire(&store).await.state, State::Pending, "in the same commit: a crash may follow");
        assert!(!store.condemn(&claimed, n, 1, None, true, "again").await.unwrap());
        assert!(store.looked(&claimed, n, 1, 3, Some(at(9, 5))).await.unwrap());
        assert!(store.rest(claimed, n, pending(Some(n))).await.unwrap());
        let claimed = claim(&store, n).await.unwrap();
        assert_eq!((claimed.passes[0].looks, claimed.passes[0].look_at), (3, Some(at(9, 5))));
        assert!(store.gone(&claimed, n, 1).await.unwrap());
        assert!(store.rest(claimed, n, pending(Some(n))).await.unwrap());
        let claimed = claim(&store, n).await.unwrap();
        assert!(claimed.passes[0].owes, "gone, but its recipient was not told");
        store.rest(claimed, n, pending(Some(n))).await.unwrap();
        deliver(&store, n, "g2").await;
        assert!(!store.passes_of(1).await.unwrap()[0].owes, "the newer letter told");
        // The second is used; a third is condemned from `mailing` and its recipient told by a letter.
        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let claimed = claim(&store, n).await.unwrap();
        assert!(store.over(&claimed, n, 2, Some(Outcome::Used), "used at the sign-in").await.unwrap());
        let third = store.intend(&claimed, n, cleared()).await.unwrap().unwrap();
        let pass = issued(&third, "g3");
        store.issued(&claimed, n, &pass, 480).await.unwrap();
        assert!(store.mailing(&claimed, n, 3, "m3").await.unwrap());
        assert!(store.condemn(&claimed, n, 3, Some("g3"), true, "refused for good").await.unwrap());
        assert!(store.gone(&claimed, n, 3).await.unwrap());
        assert!(store.told_void(&claimed, at(9, 2), 3).await.unwrap());
        assert!(!store.told_void(&claimed, at(9, 2), 3).await.unwrap());
        // A fourth, of unknown outcome, was ours and used.
        store.intend(&claimed, n, cleared()).await.unwrap().unwrap();
        assert!(store.received(&claimed, n, 4, "g4").await.unwrap());
        assert_eq!(only_hire(&store).await.state, State::Delivered);
        (
            store.passes_of(1).await.unwrap(),
            store.letters_since(at(6, 1)).await.unwrap(),
            store.events(None, 100).await.unwrap(),
        )
    });
    let ends: Vec<_> = passes.iter().map(|pass| (pass.state, pass.outcome, pass.owes)).collect();
    assert_eq!(
        ends,
        [
            (PassState::Gone, Some(Outcome::Deleted), false),
            (PassState::Over, Some(Outcome::Used), false),
            (PassState::Gone, None, false),
            (PassState::Over, Some(Outcome::Used), false),
        ]
    );
    assert_eq!(letters, [at(9, 0), at(9, 2)], "the first was a minute too early, the void letter counts");
    let told: Vec<_> = events.iter().map(|event| event.what.as_str()).collect();
    assert!(told.ends_with(&["mailing", "condemned", "gone", "told-void", "intended", "used"]), "{told:?}");
}

#[tokio::test]
async fn a_mailed_pass_is_not_condemned_while_another_is_unsettled() {
    on_both!(|store| {
        hire(&store, "E1").await;
        deliver(&store, at(6, 1), "g1").await;
        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let claimed = claim(&store, at(6, 2)).await.unwrap();
        store.intend(&claimed, at(6, 2), cleared()).await.unwrap().unwrap();
        assert!(
            !store.condemn(&claimed, at(6, 2), 1, None, true, "c").await.unwrap(),
            "counted, no broken transaction"
        );
        assert!(store.not_made(&claimed, at(6, 2), 2, true, "refused").await.unwrap());
        assert!(store.condemn(&claimed, at(6, 2), 1, None, true, "c").await.unwrap());
    });
}

/// Fault 16: a full disk stops an attempt before any effect, and leaves no half step.
#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_whole_steps() {
    let temp = sqlite().await;
    let store = &temp.store;
    hire(store, "E1").await;
    let mut claimed = claim(store, at(6, 0)).await.unwrap();
    number(store, "PRAGMA max_page_count = 1").await; // no page more than there are
    let error = loop {
        match store.intend(&claimed, at(6, 0), cleared()).await {
            Ok(intended) => {
                let pass_id = intended.unwrap().pass_id();
                match store.not_made(&claimed, at(6, 0), pass_id, true, &"because ".repeat(100)).await {
                    Ok(counted) => assert!(counted),
                    Err(error) => break error,
                }
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    let (tries, n_passes) = (only_hire(store).await.tries, number(store, "SELECT count(*) FROM pass").await);
    let n_intended = number(store, "SELECT count(*) FROM event WHERE what = 'intended'").await;
    assert_eq!((tries, n_passes), (n_intended, n_intended), "each intent whole or not at all");
    number(store, "PRAGMA max_page_count = 100000").await;
    assert_eq!(store.renew(&mut claimed, at(6, 1), LEASE).await.unwrap(), Some(1), "goes on when there is room");
}
