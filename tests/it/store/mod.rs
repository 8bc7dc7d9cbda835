//! The state, told as stories that run on both engines and must leave the same rows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use firstpass::rules::attempt::{Cleared, Code, Intended, IssuedPass, Made, PassAsk};
use firstpass::rules::channel::Channel;
use firstpass::rules::guard::{Account, AccountKind, ListedPass};
use firstpass::rules::hire::{MailAddress, State};
use firstpass::store::{Claimed, HireRow, Open, Rest, Store};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::pg;

mod account;
mod claims;
mod gates;
mod notices;
mod open;
mod operate;
mod passes;
mod review;
mod standing;

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
use on_both;

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
                .bind(ms(at(0, 0) - chrono::TimeDelta::hours(1)))
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
    cleared_for(USER)
}

/// For an account of that object id.
pub(crate) fn cleared_for(user: Uuid) -> Cleared {
    let account = Account {
        object_id: user,
        upn: "ada@contoso.example".into(),
        display_name: "Ada".into(),
        enabled: Some(true),
        kind: AccountKind::Member,
    };
    let ask = PassAsk { user, start: Some(at(8, 0)), lifetime_min: 480, one_time: true };
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
