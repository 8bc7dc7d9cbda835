//! Who may act: what is due, whose it is, when a lease is over, how a claim ends.

use chrono::TimeDelta;
use firstpass::rules::hire::{Reason, State};
use firstpass::store::{Rest, Seen, Store};
use uuid::Uuid;

use super::{
    LEASE, WORKER, at, claim, cleared, hire, hire_of, issued, on_both, only_hire, pending, postgres, sql, sqlite,
};

#[tokio::test]
async fn only_what_is_due_is_claimed_oldest_first_and_once() {
    let seen = on_both!(|store| {
        hire_of(&store, "contoso", "later", at(7, 0)).await;
        hire_of(&store, "contoso", "second", at(6, 0)).await;
        hire_of(&store, "fabrikam", "first", at(5, 0)).await;
        let mut seen = Vec::new();
        while let Some(claimed) = claim(&store, at(6, 0)).await {
            assert_eq!(claimed.lease_until, at(6, 5));
            seen.push(claimed.hire.employee_id);
        }
        seen
    });
    assert_eq!(seen, ["first", "second"]);
}

#[tokio::test]
async fn a_lease_is_over_by_time_by_a_clock_gone_back_and_on_sqlite_by_another_process() {
    on_both!(|store| {
        hire(&store, "E1").await;
        let first = claim(&store, at(6, 0)).await.unwrap();
        assert!(claim(&store, at(6, 4)).await.is_none(), "leased");
        let second = claim(&store, at(6, 5)).await.unwrap();
        assert_ne!(first.token, second.token);
        assert!(!store.rest(first, at(6, 5), pending(None)).await.unwrap(), "the first holder has lost it");
        assert!(claim(&store, at(5, 59)).await.is_none(), "not due then");
        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let third = claim(&store, at(2, 0)).await.unwrap();
        let other = store.claim(at(2, 1), Uuid::from_u128(9), LEASE, true).await.unwrap();
        match store {
            Store::Sqlite { .. } => assert!(other.is_some(), "on SQLite there is one process: ours"),
            Store::Postgres(_) => {
                assert!(other.is_none(), "on PostgreSQL other workers are alive");
                drop(third);
            }
        }
    });
}

#[tokio::test]
async fn a_moved_revision_stops_the_intent_and_the_letter_and_makes_the_hire_due() {
    let hire = on_both!(|store| {
        hire(&store, "E1").await;
        hire(&store, "E2").await;
        let moved = "UPDATE hire SET revision = revision + 1";
        let (one, two) = (claim(&store, at(6, 0)).await.unwrap(), claim(&store, at(6, 0)).await.unwrap());
        let intended = store.intend(&one, at(6, 0), cleared()).await.unwrap().unwrap();
        sql(&store, moved).await.unwrap();
        assert!(store.intend(&two, at(6, 0), cleared()).await.unwrap().is_none());
        let pass = issued(&intended, "g");
        assert_eq!(store.issued(&one, at(6, 0), &pass, 480).await.unwrap(), Some(2), "the commit says that it moved");
        assert!(!store.mailing(&one, at(6, 0), 1, "m").await.unwrap());
        let rest = Rest { state: State::Attention, reason: Some(Reason::Missed), ..pending(None) };
        assert!(store.rest(two, at(6, 1), rest).await.unwrap());
        store.all_hires().await.unwrap().pop().unwrap()
    });
    assert_eq!(
        (hire.state, hire.reason, hire.look_at),
        (State::Pending, None, Some(at(6, 1))),
        "due again, nothing else"
    );
}

#[tokio::test]
async fn a_rest_writes_an_event_only_when_state_or_reason_changed() {
    let (hire, events) = on_both!(|store| {
        hire(&store, "E1").await;
        let seen = Seen {
            user_upn: "ada@x.example".into(),
            manager_upn: "mia@x.example".into(),
            channel: "mia@x.example".into(),
        };
        let refused = Rest {
            state: State::Attention,
            reason: Some(Reason::UserDisabled),
            what_to_do: "enable it".into(),
            look_at: Some(at(6, 10)),
            seen: Some(seen),
            why: "the account is disabled".into(),
        };
        for now in [at(6, 0), at(6, 10)] {
            let claimed = claim(&store, now).await.unwrap();
            assert!(store.rest(claimed, now, refused.clone()).await.unwrap());
        }
        let claimed = claim(&store, at(6, 10)).await.unwrap();
        assert!(store.rest(claimed, at(6, 11), Rest { seen: None, ..refused }).await.unwrap());
        (only_hire(&store).await, store.events(None, 10).await.unwrap())
    });
    assert_eq!(hire.user_upn, "ada@x.example", "what was not asked again stays");
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].what.as_str(), events[0].why.as_str()),
        ("attention", "user-disabled: the account is disabled")
    );
}

#[tokio::test]
async fn the_fifth_claim_without_a_rest_puts_the_next_look_off_by_an_hour() {
    on_both!(|store| {
        hire(&store, "E1").await;
        for crash in 1..=5 {
            let now = at(6, 0) + TimeDelta::minutes(10 * crash);
            assert_eq!(claim(&store, now).await.unwrap().hire.claims, crash);
        }
        assert_eq!(only_hire(&store).await.look_at, Some(at(7, 50)));
        assert!(claim(&store, at(7, 49)).await.is_none());
        let claimed = claim(&store, at(7, 50)).await.unwrap();
        assert!(store.rest(claimed, at(7, 50), pending(Some(at(8, 0)))).await.unwrap());
        assert_eq!(only_hire(&store).await.claims, 0);
    });
}

#[tokio::test]
async fn without_a_letter_slot_only_what_needs_none_is_claimed() {
    let seen = on_both!(|store| {
        for employee_id in ["due", "unsettled", "withdrawn", "early", "watched"] {
            hire(&store, employee_id).await;
        }
        let due = claim(&store, at(6, 0)).await.unwrap();
        assert_eq!(due.hire.employee_id, "due");
        let unsettled = claim(&store, at(6, 0)).await.unwrap();
        store.intend(&unsettled, at(6, 0), cleared()).await.unwrap().unwrap();
        store.rest(due, at(6, 0), pending(Some(at(6, 0)))).await.unwrap();
        store.rest(unsettled, at(6, 0), pending(Some(at(6, 0)))).await.unwrap();
        sql(&store, "UPDATE hire SET feed_status = 'withdrawn' WHERE employee_id = 'withdrawn'").await.unwrap();
        sql(&store, "UPDATE hire SET send_at = send_at + 60000 WHERE employee_id = 'early'").await.unwrap();
        sql(&store, "UPDATE hire SET state = 'delivered' WHERE employee_id = 'watched'").await.unwrap();
        let mut seen = Vec::new();
        while let Some(claimed) = store.claim(at(6, 0), WORKER, LEASE, false).await.unwrap() {
            seen.push(claimed.hire.employee_id);
        }
        assert_eq!(claim(&store, at(6, 0)).await.unwrap().hire.employee_id, "due");
        seen
    });
    assert_eq!(seen, ["unsettled", "withdrawn", "early", "watched"]);
}

#[tokio::test]
async fn two_workers_on_postgresql_never_share_a_hire() {
    let Some(store) = postgres().await else { return };
    for n in 0..60 {
        hire(&store, &format!("E{n:02}")).await;
    }
    let workers = (0..4).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(claimed) = store.claim(at(6, 0), Uuid::from_u128(n), LEASE, true).await.unwrap() {
                seen.push(claimed.hire.id);
            }
            seen
        })
    });
    let mut seen = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        seen.extend(worker.await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=60).collect::<Vec<i64>>());
}
