//! What a restart must not forget, and when to look next.

use chrono::TimeDelta;
use firstpass::rules::hire::Reason;
use firstpass::store::{Gate, Open, Store};

use super::{LEASE, WORKER, at, claim, hire, hire_of, postgres, sqlite};
use crate::pg;

#[tokio::test]
async fn gates_and_the_sign_of_life_survive_a_restart() {
    let urls = [Some(sqlite_url()), pg::database().await.map(|url| (url, None))];
    for (url, _dir) in urls.into_iter().flatten() {
        let store = Store::open(&url, &Open::default()).await.unwrap();
        hire(&store, "E1").await;
        hire_of(&store, "fabrikam", "F1", at(6, 0)).await;
        assert!(
            !store.hold_gate(at(6, 0), "tenant/contoso", at(6, 1), None).await.unwrap(),
            "slowed down, not stopped"
        );
        assert!(store.hold_gate(at(6, 1), "tenant/contoso", at(6, 6), Some("AADSTS7000222")).await.unwrap());
        assert!(
            !store.hold_gate(at(6, 2), "tenant/contoso", at(6, 7), Some("AADSTS7000222")).await.unwrap(),
            "told once"
        );
        assert!(!store.hold_gate(at(6, 3), "tenant/contoso", at(6, 8), None).await.unwrap());
        assert_eq!(store.heartbeat(at(6, 0)).await.unwrap(), None);
        assert_eq!(store.heartbeat(at(6, 0) + TimeDelta::seconds(59)).await.unwrap(), Some(at(6, 0)));
        assert_eq!(store.heartbeat(at(6, 1)).await.unwrap(), Some(at(6, 0)));
        assert_eq!(store.heartbeat(at(5, 0)).await.unwrap(), Some(at(6, 1)), "time went back: written");
        store.close().await;

        let store = Store::open(&url, &Open::default()).await.unwrap();
        assert_eq!(store.last_heartbeat().await.unwrap(), Some(at(5, 0)));
        let gate = Gate {
            name: "tenant/contoso".into(),
            not_before: Some(at(6, 8)),
            stopped: Some("AADSTS7000222".into()),
            since: at(6, 1),
        };
        assert_eq!(store.gates().await.unwrap(), [gate]);
        assert_eq!(claim(&store, at(6, 7)).await.unwrap().hire.tenant, "fabrikam");
        assert!(claim(&store, at(6, 7)).await.is_none(), "contoso waits");
        assert_eq!(store.next_look(at(6, 7)).await.unwrap(), Some(at(6, 8)));
        assert_eq!(store.mark_waiting(at(6, 7), "tenant/contoso", Reason::TenantStopped).await.unwrap(), 1);
        assert_eq!(store.mark_waiting(at(6, 7), "tenant/contoso", Reason::TenantStopped).await.unwrap(), 0, "once");
        assert!(store.open_gate(at(6, 8), "tenant/contoso").await.unwrap());
        assert!(!store.open_gate(at(6, 8), "tenant/contoso").await.unwrap());
        let claimed = claim(&store, at(6, 8)).await.unwrap();
        assert_eq!((claimed.hire.tenant.as_str(), claimed.hire.reason), ("contoso", Some(Reason::TenantStopped)));
        let told: Vec<_> = store.events(None, 10).await.unwrap().into_iter().map(|event| event.what).collect();
        assert_eq!(told, ["tenant-stopped", "waiting", "tenant-resumed"]);
        store.close().await;
    }
}

fn sqlite_url() -> (String, Option<tempfile::TempDir>) {
    let dir = tempfile::tempdir().unwrap();
    (format!("sqlite:{}", dir.path().join("state.db").display()), Some(dir))
}

#[tokio::test]
async fn the_next_look_is_that_of_the_first_free_hire_or_the_end_of_a_lease() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        assert_eq!(store.next_look(at(5, 0)).await.unwrap(), None);
        hire(&store, "E1").await;
        hire_of(&store, "contoso", "E2", at(7, 0)).await;
        assert_eq!(store.next_look(at(5, 0)).await.unwrap(), Some(at(6, 0)));
        assert_eq!(store.next_look(at(6, 30)).await.unwrap(), Some(at(6, 0)), "due");
        store.claim(at(6, 30), WORKER, LEASE, true).await.unwrap().unwrap();
        assert_eq!(store.next_look(at(6, 30)).await.unwrap(), Some(at(6, 35)), "the lease");
    }
}
