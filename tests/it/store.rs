//! The state, told as stories that run on both engines and must leave the same rows.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::rules::attempt::{Cleared, Code, Intended, IssuedPass, Made, PassAsk};
use firstpass::rules::channel::Channel;
use firstpass::rules::guard::{Account, AccountKind, ListedPass};
use firstpass::rules::hire::{MailAddress, Outcome, PassState, Reason, State};
use firstpass::store::{
    Claimed, Filter, HireRow, KeyText, Open, Operate, OperateError, PassRow, Planned, Rest, Seen, Store, StoreError,
    View,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::pg;

pub(crate) const LEASE: Duration = Duration::from_mins(5);
pub(crate) const USER: Uuid = Uuid::from_u128(0x11);
pub(crate) const MANAGER: Uuid = Uuid::from_u128(0x22);
pub(crate) const WORKER: Uuid = Uuid::from_u128(0x33);

/// `at(5, 30)` = 2027-03-01 05:30 UTC, a day on which everything here happens.
pub(crate) fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    chrono::NaiveDate::from_ymd_opt(2027, 3, 1).unwrap().and_hms_opt(hour, minute, 0).unwrap().and_utc()
}

/// A state in a file of its own, which outlives nothing.
pub(crate) struct Temp {
    pub(crate) store: Store,
    pub(crate) url: String,
    _dir: tempfile::TempDir,
}

pub(crate) async fn sqlite() -> Temp {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("state.db").display());
    Temp { store: Store::open(&url, &Open::default()).await.unwrap(), url, _dir: dir }
}

pub(crate) async fn postgres() -> Option<Store> {
    Some(Store::open(&pg::database().await?, &Open::default()).await.unwrap())
}

/// Runs one story on each engine; what it returns must be equal.
macro_rules! on_both {
    (|$store:ident| $story:expr) => {{
        let temp = sqlite().await;
        let on_sqlite = {
            let $store = temp.store.clone();
            $story
        };
        if let Some(store) = postgres().await {
            let on_postgres = {
                let $store = store;
                $story
            };
            assert_eq!(on_sqlite, on_postgres, "SQLite (left) and PostgreSQL (right) differ");
        }
        on_sqlite
    }};
}

/// Runs SQL of a test on whichever engine; returns the rows that counted.
pub(crate) async fn sql(store: &Store, text: &'static str) -> Result<u64, sqlx::Error> {
    match store {
        Store::Sqlite { write, .. } => sqlx::query(text).execute(write).await.map(|done| done.rows_affected()),
        Store::Postgres(pool) => sqlx::query(text).execute(pool).await.map(|done| done.rows_affected()),
    }
}

pub(crate) async fn number(store: &Store, text: &'static str) -> i64 {
    match store {
        Store::Sqlite { write, .. } => sqlx::query_scalar(text).fetch_one(write).await.unwrap(),
        Store::Postgres(pool) => sqlx::query_scalar(text).fetch_one(pool).await.unwrap(),
    }
}

/// A hire of contoso in Berlin who starts at 09:00 local (08:00Z) and is due at 06:00Z.
pub(crate) async fn hire(store: &Store, employee_id: &str) {
    hire_of(store, "contoso", employee_id, at(6, 0)).await;
}

pub(crate) async fn hire_of(store: &Store, tenant: &str, employee_id: &str, look_at: DateTime<Utc>) {
    const INSERT: &str =
        "INSERT INTO hire (tenant, employee_id, feed, source_file, source_line, user_ref, display_name,
          manager_ref, start_date, start_time, zone, send_time, start_at, send_at, window_from, window_until,
          day_from, day_until, look_at, first_seen, changed)
        VALUES ($1, $2, 'hr', 'hires.csv', 2, 'ada@contoso.example', 'Ada', '', '2027-03-01', '09:00:00',
          'Europe/Berlin', '07:00:00', $3, $4, $4, $5, $6, $7, $8, $4, $4)";
    let ms = |at: DateTime<Utc>| at.timestamp_millis();
    macro_rules! insert {
        ($db:expr) => {
            sqlx::query(INSERT)
                .bind(tenant)
                .bind(employee_id)
                .bind(ms(at(8, 0)))
                .bind(ms(at(6, 0)))
                .bind(ms(at(16, 0)))
                .bind(ms(at(0, 0) - TimeDelta::hours(1)))
                .bind(ms(at(23, 0)))
                .bind(ms(look_at))
                .execute($db)
                .await
                .map(drop)
        };
    }
    match store {
        Store::Sqlite { write, .. } => insert!(write),
        Store::Postgres(pool) => insert!(pool),
    }
    .unwrap();
}

pub(crate) fn cleared() -> Cleared {
    let account = Account {
        object_id: USER,
        upn: "ada@contoso.example".into(),
        display_name: "Ada".into(),
        enabled: Some(true),
        kind: AccountKind::Member,
    };
    let ask = PassAsk { user: USER, start: Some(at(8, 0)), lifetime_min: 480, one_time: true };
    let channel = Channel {
        manager_id: MANAGER,
        manager_upn: "mia@contoso.example".into(),
        manager_name: "Mia".into(),
        address: MailAddress::parse("mia@contoso.example").unwrap(),
        notes: Vec::new(),
    };
    Cleared::new(
        account,
        ask,
        channel,
        vec!["life cut from 600 to 480 minutes by the tenant's policy".into()],
        at(6, 0),
    )
}

pub(crate) fn issued(intended: &Intended, graph_id: &str) -> IssuedPass {
    let listed = ListedPass {
        id: graph_id.into(),
        created: Some(at(6, 1)),
        start: Some(at(8, 0)),
        lifetime_min: Some(480),
        one_time: Some(true),
        usability: "NotYetValid".into(),
    };
    let made = Made { listed, code: Some(Code::new(Zeroizing::new("canary".into()))) };
    IssuedPass::from_answer(intended, made, at(6, 1)).unwrap()
}

pub(crate) async fn claim(store: &Store, now: DateTime<Utc>) -> Option<Claimed> {
    store.claim(now, WORKER, LEASE, true).await.unwrap()
}

pub(crate) fn pending(look_at: Option<DateTime<Utc>>) -> Rest {
    Rest { state: State::Pending, reason: None, what_to_do: String::new(), look_at, seen: None, why: "waits".into() }
}

pub(crate) async fn only_hire(store: &Store) -> HireRow {
    let mut hires = store.all_hires().await.unwrap();
    assert_eq!(hires.len(), 1);
    hires.remove(0)
}

/// Claims, intends, issues, mails and delivers: returns the pass row's id.
pub(crate) async fn deliver(store: &Store, now: DateTime<Utc>, graph_id: &str) -> i64 {
    let claimed = claim(store, now).await.unwrap();
    let intended = store.intend(&claimed, now, cleared()).await.unwrap().unwrap();
    let pass = issued(&intended, graph_id);
    assert_eq!(store.issued(&claimed, now, &pass, pass.lifetime_min()).await.unwrap(), Some(claimed.hire.revision));
    assert!(store.mailing(&claimed, now, pass.pass_id(), "<1@firstpass>").await.unwrap());
    assert!(store.delivered(&claimed, now, pass.pass_id(), Some(at(8, 0))).await.unwrap());
    pass.pass_id()
}

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
        let intended = store.intend(&first, at(6, 0), cleared()).await.unwrap().unwrap();
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
async fn how_passes_end() {
    let (passes, letters, events) = on_both!(|store| {
        hire(&store, "E1").await;
        let n = at(9, 0);
        // Delivered, then moved: condemned, a delete fails once, gone; a newer letter to the same address pays the debt.
        deliver(&store, at(6, 1), "g1").await;
        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let claimed = claim(&store, n).await.unwrap();
        assert!(store.condemn(&claimed, n, 1, None, true, "the start moved").await.unwrap());
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
            "contoso/E1 is cancelled",
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

#[tokio::test]
async fn a_value_that_nobody_writes_is_named_not_guessed() {
    let told = on_both!(|store| {
        hire(&store, "E1").await;
        sql(&store, "UPDATE hire SET start_time = 'nine'").await.unwrap();
        let error = store.all_hires().await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)));
        assert!(sql(&store, "UPDATE hire SET state = 'finished'").await.is_err(), "CHECK");
        assert!(sql(&store, "UPDATE hire SET reason = 'bored'").await.is_err(), "CHECK");
        assert!(sql(&store, "UPDATE hire SET feed_status = 'gone'").await.is_err(), "CHECK");
        assert!(sql(&store, "UPDATE hire SET operator_status = ''").await.is_err(), "CHECK");
        assert!(sql(&store, "UPDATE hire SET claim_token = 't'").await.is_err(), "a token without a lease");
        error.to_string()
    });
    assert_eq!(
        told,
        "the state is damaged: hire 1 has a value in start_time that firstpass never writes; restore a backup"
    );
}
