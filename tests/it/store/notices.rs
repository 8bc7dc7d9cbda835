//! The cursor over the events, what is gathered, and the outbox, on both engines: counted, so that of
//! two workers one tells, and nothing is told twice.

use chrono::TimeDelta;
use firstpass::store::{NoticeCursor, NoticeItem, Store};

use super::{at, hire, number, on_both, postgres, sql, sqlite};

fn item(hire_id: Option<i64>, cause: &'static str) -> NoticeItem {
    NoticeItem {
        audience: String::new(),
        cause,
        tenant: "contoso".to_owned(),
        hire_id,
        about: "feed hr, a.csv".to_owned(),
        why: "because".to_owned(),
        at: at(6, 0),
    }
}

async fn event(store: &Store) {
    sql(store, "INSERT INTO event (at, tenant, what, why) VALUES (1803880800000, 'contoso', 'file-held', 'x')")
        .await
        .unwrap();
}

#[tokio::test]
async fn what_admins_are_told_is_counted_on_both_engines() {
    let story = on_both!(|store| {
        let mut told = Vec::new();
        assert_eq!(store.notice_cursor().await.unwrap(), None);
        event(&store).await;
        store.begin_notices(at(6, 0)).await.unwrap();
        store.begin_notices(at(7, 0)).await.unwrap();
        let begun = store.notice_cursor().await.unwrap().unwrap();
        assert_eq!(begun.swept, at(6, 0), "begun once");
        assert_eq!(store.events_behind(begun.seq, 10).await.unwrap(), [], "history is not told");
        event(&store).await;
        let news = store.events_behind(begun.seq, 10).await.unwrap();
        told.push(format!("{:?}", news.iter().map(|event| (&event.what, &event.why)).collect::<Vec<_>>()));
        let next = NoticeCursor { seq: news[0].seq, swept: at(6, 1) };
        hire(&store, "E1").await;
        let ada = number(&store, "SELECT max(id) FROM hire").await;
        let items = [item(Some(ada), "attention"), item(None, "file-held"), item(None, "file-held")];
        assert!(store.gather(begun, next, &items).await.unwrap());
        assert!(!store.gather(begun, next, &items).await.unwrap(), "another worker was faster");
        let heaps = store.heaps().await.unwrap();
        told.push(format!("{:?}", heaps.iter().map(|heap| (&heap.cause, heap.first, heap.told)).collect::<Vec<_>>()));
        let (hires, none) = store.heap(&heaps[0], 10).await.unwrap();
        assert_eq!((hires.len(), hires[0].employee_id.as_str(), none.len()), (1, "E1", 0));
        let (none, others) = store.heap(&heaps[1], 10).await.unwrap();
        assert_eq!((none.len(), others.len()), (0, 1), "the same file once");
        let rows = [("a".to_owned(), "mail/a@b.example".to_owned(), "{}".to_owned())];
        assert!(store.tell_heap(at(6, 2), &heaps[0], &rows).await.unwrap());
        assert!(!store.tell_heap(at(6, 2), &heaps[0], &rows).await.unwrap(), "told once");
        assert!(store.tell_heap(at(6, 2), &heaps[1], &[]).await.unwrap());
        assert_eq!(store.told_at("", "attention").await.unwrap(), Some(at(6, 2)));
        assert_eq!(store.told_at("", "file-held").await.unwrap(), None, "nothing was told");
        let due = store.due_notices(at(6, 2), 10).await.unwrap();
        assert!(store.claim_notice(&due[0], at(6, 7)).await.unwrap());
        assert!(!store.claim_notice(&due[0], at(6, 7)).await.unwrap(), "one worker tries it");
        assert_eq!(store.due_notices(at(6, 6), 10).await.unwrap(), []);
        store.wake_mail_notices(at(6, 3)).await.unwrap();
        let due = store.due_notices(at(6, 3), 10).await.unwrap();
        told.push(format!("{:?}", (&due[0].uid, due[0].tries, due[0].made)));
        store.notice_again(due[0].id, at(9, 0)).await.unwrap();
        store.notices_anew(at(6, 0), at(8, 0)).await.unwrap();
        assert_eq!(store.due_notices(at(6, 0), 10).await.unwrap().len(), 1, "a clock that went back");
        assert!(store.drop_notice(at(6, 5), due[0].id, "nobody").await.unwrap());
        assert!(!store.drop_notice(at(6, 5), due[0].id, "nobody").await.unwrap());
        assert_eq!(store.notices_waiting().await.unwrap(), 0);
        assert_eq!(number(&store, "SELECT CAST(count(*) AS BIGINT) FROM event WHERE what = 'notice-dropped'").await, 1);
        store.begin_digest(at(6, 0), "").await.unwrap();
        store.begin_digest(at(7, 0), "").await.unwrap();
        let (before, digest) = (at(6, 0), at(16, 0));
        assert!(store.tell_digest(digest, "", before, digest, &rows).await.unwrap());
        assert!(!store.tell_digest(digest, "", before, digest, &rows).await.unwrap(), "one digest");
        store.notice_taken(store.due_notices(digest, 1).await.unwrap()[0].id).await.unwrap();
        assert_eq!(store.notices_waiting().await.unwrap(), 0);
        told
    });
    assert_eq!(story.len(), 3);
}

#[tokio::test]
async fn starts_without_a_letter_are_found_in_their_span() {
    on_both!(|store| {
        hire(&store, "E1").await;
        let ada = number(&store, "SELECT max(id) FROM hire").await;
        sql(&store, "UPDATE hire SET start_at = 1803888000000").await.unwrap(); // 08:00
        let span = |from, until| {
            let store = store.clone();
            async move { store.starts_without_letter(from, until, at(8, 0) + TimeDelta::days(1)).await.unwrap() }
        };
        let found = vec![("contoso".to_owned(), ada)];
        assert_eq!(span(at(7, 55), at(8, 0)).await, found);
        assert_eq!(span(at(8, 0), at(8, 5)).await, [], "each once");
        sql(&store, "UPDATE hire SET state = 'attention', reason = 'missed', look_at = NULL").await.unwrap();
        assert_eq!(span(at(7, 55), at(8, 0)).await, found);
        sql(&store, "UPDATE hire SET state = 'delivered', reason = NULL").await.unwrap();
        assert_eq!(span(at(7, 55), at(8, 0)).await, []);
        "found"
    });
}

/// A transaction that began earlier may end later: its events must not be passed.
#[tokio::test]
async fn i23_events_are_not_read_while_somebody_writes_them_on_postgres() {
    let Some(Store::Postgres(pool)) = postgres().await else { return };
    let store = Store::Postgres(pool.clone());
    let mut late = pool.begin().await.unwrap();
    sqlx::query("INSERT INTO event (at, what) VALUES (1, 'file-held')").execute(&mut *late).await.unwrap();
    event(&store).await;
    assert_eq!(store.events_behind(0, 10).await.unwrap(), [], "the one before is not there yet");
    late.commit().await.unwrap();
    assert_eq!(store.events_behind(0, 10).await.unwrap().len(), 2);
}
