//! Operators and new instants: what is wanted changes, what is in hand is left alone.

use std::time::Duration;

use firstpass::rules::hire::State;
use firstpass::store::{Filter, KeyText, Operate, OperateError, Planned, Rest, View};

use super::{LEASE, at, claim, cleared, deliver, hire, hire_of, on_both, only_hire, pending, postgres, sql, sqlite};

#[tokio::test]
async fn replanned_hires_move_only_when_their_revision_stands() {
    on_both!(|store| {
        hire(&store, "E1").await;
        hire(&store, "E2").await;
        sql(&store, "UPDATE hire SET state = 'delivered' WHERE id = 2").await.unwrap();
        let open = store.open_hires("contoso", 0, 100).await.unwrap();
        assert_eq!(open.iter().map(|hire| hire.id).collect::<Vec<_>>(), [1]);
        assert!(store.open_hires("contoso", 1, 100).await.unwrap().is_empty());
        let plan = Planned {
            hire_id: 1,
            tenant: "contoso".into(),
            revision: 1,
            start_at: Some(at(9, 0)),
            send_at: Some(at(7, 0)),
            send_time: chrono::NaiveTime::from_hms_opt(7, 0, 0).unwrap(),
            window_from: Some(at(7, 0)),
            window_until: Some(at(17, 0)),
            day_from: Some(at(0, 0)),
            day_until: Some(at(23, 0)),
            look_at: Some(at(7, 0)),
            why: "zone data 2026f puts the start at 09:00Z".into(),
        };
        let again = Planned { hire_id: 2, revision: 7, ..plan.clone() };
        assert_eq!(store.replan(at(6, 0), &[again, plan]).await.unwrap(), 1);
        let hire = store.find_hire(&KeyText("E1".into())).await.unwrap();
        assert_eq!((hire.revision, hire.send_at, hire.look_at), (2, Some(at(7, 0)), Some(at(7, 0))));
        assert_eq!(store.meta("tzdata").await.unwrap(), None);
        store.set_meta("tzdata", "2026e").await.unwrap();
        store.set_meta("tzdata", "2026f").await.unwrap();
        assert_eq!(store.meta("tzdata").await.unwrap().as_deref(), Some("2026f"));
        (hire, store.events(None, 10).await.unwrap())
    });
}

#[tokio::test]
async fn operators_write_what_is_wanted_with_their_reason() {
    let (told, events) = on_both!(|store| {
        hire(&store, "E1").await;
        let key = KeyText("E1".into());
        let mut told = Vec::new();
        for (act, dry_run) in [
            (Operate::Hold, true),
            (Operate::Hold, false),
            (Operate::Hold, false),
            (Operate::Retry { late_until: LEASE }, false),
            (Operate::Release, false),
            (Operate::Cancel, false),
            (Operate::Hold, false),
            (Operate::Release, false),
        ] {
            let done = store.operate(at(5, 0), &key, act, "asked by\nHR", "root", dry_run).await;
            told.push(match done {
                Ok(done) => format!("{} {}→{} {}", act.as_str(), done.before.state, done.state, done.changed),
                Err(error) => error.to_string(),
            });
        }
        (told, store.events(None, 100).await.unwrap())
    });
    assert_eq!(
        told,
        [
            "hold pending→held true",
            "hold pending→held true",
            "hold held→held false",
            "contoso/E1 is held; `firstpass hire release` first",
            "release held→pending true",
            "cancel pending→cancelled true",
            "contoso/E1 is cancelled; `firstpass hire release` brings it back",
            "release cancelled→pending true",
        ]
    );
    assert_eq!(
        events.iter().map(|event| event.what.as_str()).collect::<Vec<_>>(),
        ["hold", "release", "cancel", "release"]
    );
    assert_eq!((events[0].why.as_str(), events[0].by.as_str()), ("asked by HR", "root"));
}

#[tokio::test]
async fn an_act_on_a_hire_in_hand_leaves_the_state_to_the_worker() {
    on_both!(|store| {
        hire(&store, "E1").await;
        let key = KeyText("contoso/E1".into());
        let claimed = claim(&store, at(6, 0)).await.unwrap();
        let held = store.operate(at(6, 0), &key, Operate::Hold, "r", "root", false).await.unwrap();
        assert_eq!(held.state, State::Pending);
        assert!(store.intend(&claimed, at(6, 0), cleared()).await.unwrap().is_none(), "the revision moved");
        store.rest(claimed, at(6, 1), pending(Some(at(9, 0)))).await.unwrap();
        assert_eq!(only_hire(&store).await.look_at, Some(at(6, 1)));
        let claimed = claim(&store, at(6, 1)).await.unwrap();
        let rest = Rest { state: State::Held, ..pending(None) };
        store.rest(claimed, at(6, 1), rest).await.unwrap();
        store.operate(at(6, 2), &key, Operate::Release, "r", "root", false).await.unwrap();
        // A pass is out: cancel waits for its deletion.
        deliver(&store, at(6, 2), "g").await;
        let cancelled = store.operate(at(6, 3), &key, Operate::Cancel, "r", "root", false).await.unwrap();
        assert_eq!(cancelled.state, State::Delivered);
        let hire = only_hire(&store).await;
        assert_eq!(hire.look_at, Some(at(6, 3)));
        hire
    });
}

#[tokio::test]
async fn a_retry_opens_a_window_only_behind_the_send_instant() {
    on_both!(|store| {
        hire(&store, "E1").await;
        let key = KeyText("E1".into());
        let retry = Operate::Retry { late_until: Duration::from_hours(1) };
        sql(&store, "UPDATE hire SET tries = 20, state = 'attention', reason = 'tries-exhausted', look_at = NULL")
            .await
            .unwrap();
        store.operate(at(5, 0), &key, retry, "r", "root", false).await.unwrap();
        let early = only_hire(&store).await;
        assert_eq!((early.window_from, early.tries, early.reason), (Some(at(6, 0)), 0, None));
        assert_eq!((early.state, early.look_at), (State::Pending, Some(at(5, 0))));
        store.operate(at(18, 0), &key, retry, "r", "root", false).await.unwrap();
        let late = only_hire(&store).await;
        assert_eq!((late.window_from, late.window_until), (Some(at(18, 0)), Some(at(19, 0))));
        (early, late)
    });
}

#[tokio::test]
async fn tenant_and_employee_id_name_one_hire_whatever_other_ids_look_like() {
    on_both!(|store| {
        hire_of(&store, "contoso", "E1", at(6, 0)).await;
        hire_of(&store, "contoso", "contoso/E1", at(6, 0)).await;
        deliver(&store, at(6, 0), "g").await;
        let found = async |key: &str| store.find_hire(&KeyText(key.into())).await.unwrap().employee_id;
        let told = async |key: &str| {
            let key = KeyText(key.into());
            let filter = Filter { key: Some(key.clone()), ..Filter::default() };
            let rows = store.review(View::Hire, &filter).await.unwrap();
            let ids: Vec<String> = rows.into_iter().map(|row| row.employee_id).collect();
            (ids, store.events(Some(&key), 100).await.unwrap().len())
        };
        assert_eq!(found("contoso/E1").await, "E1", "each can be named");
        assert_eq!(found("contoso/contoso/E1").await, "contoso/E1");
        assert_eq!(found("E1").await, "E1");
        assert_eq!(told("contoso/E1").await, (vec!["E1".to_owned()], 4));
        assert_eq!(told("contoso/contoso/E1").await, (vec!["contoso/E1".to_owned()], 0));
        let key = KeyText("contoso/contoso/E1".into());
        let held = store.operate(at(6, 1), &key, Operate::Hold, "r", "root", false).await.unwrap();
        assert_eq!(held.before.employee_id, "contoso/E1");
    });
}

#[tokio::test]
async fn a_key_that_two_tenants_share_names_both() {
    on_both!(|store| {
        hire_of(&store, "contoso", "E/1", at(6, 0)).await;
        hire_of(&store, "fabrikam", "E/1", at(6, 0)).await;
        let both = store.find_hire(&KeyText("E/1".into())).await.unwrap_err();
        assert!(matches!(both, OperateError::Ambiguous { .. }));
        assert_eq!(
            both.to_string(),
            "more than one hire has the employee id \"E/1\": name one of contoso/E/1, fabrikam/E/1"
        );
        assert_eq!(store.find_hire(&KeyText("fabrikam/E/1".into())).await.unwrap().tenant, "fabrikam");
        assert!(matches!(store.find_hire(&KeyText("E2".into())).await, Err(OperateError::Unknown(_))));
        both.to_string()
    });
}
