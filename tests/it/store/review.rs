//! What reviewers read: columns, texts, order, days; and rows that nobody writes.

use firstpass::rules::hire::{Outcome, State};
use firstpass::store::{Filter, Rest, ReviewRow, Seen, Store, StoreError, View};

use super::{at, claim, cleared, deliver, hire, number, on_both, pending, postgres, sql, sqlite};

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
#[tokio::test]
async fn keys_sort_by_bytes_on_both_engines() {
    let mut orders = Vec::new();
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        for employee_id in ["b", "B", "a", "A", "é", "_", "0012", "12"] {
            hire(&store, employee_id).await;
        }
        let rows = store.review(View::Hire, &Filter::default()).await.unwrap();
        orders.push(rows.into_iter().map(|row| row.employee_id).collect::<Vec<_>>());
    }
    for order in orders {
        assert_eq!(order, ["0012", "12", "A", "B", "_", "a", "b", "é"]);
    }
}

/// Start days of 2027-03-01 (02-28T23:00Z until 03-01T23:00Z), moved by days.
async fn starting(store: &Store, employee_id: &str, days: i64) {
    hire(store, employee_id).await;
    let shift = days * 86_400_000;
    let statement = "UPDATE hire SET day_from = day_from + $1, day_until = day_until + $1 WHERE employee_id = $2";
    match store {
        Store::Sqlite { write, .. } => {
            sqlx::query(statement).bind(shift).bind(employee_id).execute(write).await.map(drop).unwrap();
        }
        Store::Postgres(pool) => {
            sqlx::query(statement).bind(shift).bind(employee_id).execute(pool).await.map(drop).unwrap();
        }
    }
}

#[tokio::test]
async fn today_and_upcoming_are_where_the_hire_is_by_the_later_clock() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        for (employee_id, days) in [("yesterday", -1), ("today", 0), ("tomorrow", 1), ("last", 14), ("after", 15)] {
            starting(&store, employee_id, days).await;
        }
        let ids = |rows: Vec<ReviewRow>| rows.into_iter().map(|row| row.employee_id).collect::<Vec<_>>();
        store.heartbeat(at(22, 59)).await.unwrap();
        assert_eq!(ids(store.review(View::Today, &Filter::default()).await.unwrap()), ["today"]);
        assert_eq!(ids(store.review(View::Upcoming, &Filter::default()).await.unwrap()), ["last", "tomorrow"]);
        store.heartbeat(at(23, 0)).await.unwrap();
        assert_eq!(
            ids(store.review(View::Today, &Filter::default()).await.unwrap()),
            ["tomorrow"],
            "midnight in Berlin"
        );
    }
}

#[tokio::test]
async fn the_views_speak_the_contract() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        hire(&store, "E1").await;
        sql(
            &store,
            "UPDATE hire SET zone = '', manager_ref = 'mia@contoso.example', start_at = NULL, send_at = NULL, send_time = '10:00:00',
            state = 'attention', reason = 'zone-unknown', what_to_do = 'name a zone'",
        )
        .await
        .unwrap();
        sql(
            &store,
            "INSERT INTO file (feed, file, sha256, read_at, rows, added, state)
            VALUES ('hr', 'hires.csv', 'ab', 1803880800000, 1, 1, 'taken')",
        )
        .await
        .unwrap();
        let filter = Filter { state: Some(State::Attention), tenant: Some("contoso".into()), ..Filter::default() };
        let row = store.review(View::Attention, &filter).await.unwrap().remove(0);
        assert_eq!(row.start_local, "2027-03-01 09:00");
        assert_eq!(row.send_local, "2027-03-01 09:00", "never after the start");
        assert_eq!((row.start_utc, row.send_utc, row.pass_id), (None, None, None));
        assert_eq!((row.user.as_str(), row.manager.as_str()), ("", ""), "the feed's words are not the directory's");
        let other = Filter { tenant: Some("fabrikam".into()), ..Filter::default() };
        assert!(store.review(View::Hire, &other).await.unwrap().is_empty());
        assert_eq!(store.files(Some("hr"), 10).await.unwrap()[0].read_utc, "2027-03-01T06:00:00Z");
        assert!(store.files(Some("it"), 10).await.unwrap().is_empty());
        assert_eq!(number(&store, "SELECT count(*) FROM review_channel").await, 0);
    }
}

#[tokio::test]
async fn user_and_manager_are_the_directorys_and_every_outcome_moves_the_time_of_change() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        let only = async || store.review(View::Hire, &Filter::default()).await.unwrap().remove(0);
        hire(&store, "E1").await;
        let claimed = claim(&store, at(6, 0)).await.unwrap();
        let seen = Seen {
            user_upn: "Ada.Lovelace@contoso.example".into(),
            manager_upn: "Mia.Manager@contoso.example".into(),
            channel: "mia@contoso.example".into(),
        };
        store.rest(claimed, at(6, 0), Rest { seen: Some(seen), ..pending(Some(at(6, 0))) }).await.unwrap();
        let row = only().await;
        assert_eq!(
            (row.user.as_str(), row.manager.as_str()),
            ("Ada.Lovelace@contoso.example", "Mia.Manager@contoso.example")
        );
        assert_eq!(row.outcome, None, "nothing is out yet");

        deliver(&store, at(6, 1), "g1").await;
        let row = only().await;
        assert_eq!((row.outcome.as_deref(), row.changed_utc.as_str()), (Some("unused"), "2027-03-01T06:01:00Z"));
        sql(&store, "UPDATE pass SET one_time = 0").await.unwrap();
        assert_eq!(only().await.outcome, None, "of a pass that can be used several times nobody knows");
        sql(&store, "UPDATE pass SET one_time = 1").await.unwrap();

        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let claimed = claim(&store, at(8, 30)).await.unwrap();
        assert!(store.looked(&claimed, at(8, 30), 1, 0, Some(at(9, 0))).await.unwrap());
        assert_eq!(only().await.changed_utc, "2027-03-01T06:01:00Z", "a look that finds nothing changes nothing");
        assert!(store.over(&claimed, at(8, 30), 1, Some(Outcome::Used), "the pass was used").await.unwrap());
        let row = only().await;
        assert_eq!((row.outcome.as_deref(), row.changed_utc.as_str()), (Some("used"), "2027-03-01T08:30:00Z"));
    }
}

#[tokio::test]
async fn the_columns_of_every_view_are_those_of_the_contract() {
    const HIRE: &str = "tenant, employee_id, display_name, user, manager, channel, start_local, send_local, start_utc, \
        send_utc, state, reason, what_to_do, tries, next_try_utc, pass_id, pass_from_utc, pass_until_utc, mailed_to, \
        mailed_utc, outcome, feed, source_file, source_line, first_seen_utc, changed_utc";
    let views = [
        ("review_hire", HIRE),
        ("review_today", HIRE),
        ("review_upcoming", HIRE),
        ("review_attention", HIRE),
        ("review_event", "seq, at_utc, tenant, employee_id, what, why, by"),
        (
            "review_file",
            "feed, file, sha256, read_utc, rows, added, changed, withdrawn, unchanged, past, rejected, state",
        ),
        ("review_channel", "tenant, manager, address, proof, verified_utc, verified_by, revoked_utc"),
    ];
    for (view, columns) in views {
        let temp = sqlite().await;
        let Store::Sqlite { read, .. } = &temp.store else { unreachable!() };
        let found: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1) ORDER BY cid")
            .bind(view)
            .fetch_all(read)
            .await
            .unwrap();
        assert_eq!(found.join(", "), columns, "{view} on SQLite");
        if let Some(Store::Postgres(pool)) = postgres().await {
            let found: Vec<String> = sqlx::query_scalar(
                "SELECT column_name::TEXT FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position",
            )
            .bind(view)
            .fetch_all(&pool)
            .await
            .unwrap();
            assert_eq!(found.join(", "), columns, "{view} on PostgreSQL");
        }
    }
}

#[tokio::test]
async fn the_pass_that_a_reviewer_sees_is_the_newest_that_was() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        hire(&store, "E1").await;
        deliver(&store, at(6, 1), "g1").await;
        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let claimed = claim(&store, at(6, 2)).await.unwrap();
        store.condemn(&claimed, at(6, 2), 1, None, true, "moved").await.unwrap();
        store.gone(&claimed, at(6, 2), 1).await.unwrap();
        let row = store.review(View::Hire, &Filter::default()).await.unwrap().remove(0);
        assert_eq!((row.pass_id.as_deref(), row.outcome.as_deref()), (Some("g1"), Some("deleted")));
        assert_eq!(row.changed_utc, "2027-03-01T06:02:00Z");
        assert_eq!(row.mailed_to.as_deref(), Some("mia@contoso.example"));
        store.intend(&claimed, at(6, 2), cleared()).await.unwrap().unwrap();
        let row = store.review(View::Hire, &Filter::default()).await.unwrap().remove(0);
        assert_eq!(row.pass_id.as_deref(), Some("g1"), "an intent is no pass yet");
    }
}
