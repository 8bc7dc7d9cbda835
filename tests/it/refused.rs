//! Passes that Graph refuses (F103, F62): nothing was made, a person is told in Graph's words, and it is asked
//! again in growing pauses, up to a cap (I12). Two hires in a row that are refused stop the tenant.

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Effect, Kind, When};
use firstpass::store::Operate;

use crate::world::{World, at, side_by_side};

const NOON: &str = "2027-03-01T12:00:00Z";

fn refused(status: u16, code: &str) -> Effect {
    Effect::graph_error(status, code, "Not for this one.")
}

/// Minutes between the first POST and each.
fn posts(world: &World) -> Vec<i64> {
    let journal = world.tenant.journal();
    let posts: Vec<_> = journal.iter().filter(|seen| seen.kind == Kind::PassCreate).map(|seen| seen.at).collect();
    posts.iter().map(|post| (*post - posts[0]).num_minutes()).collect()
}

#[tokio::test]
async fn f103_a_refused_pass_is_told_and_asked_for_again_in_growing_pauses() {
    for (status, code) in [(400, "badRequest"), (403, "accessDenied"), (404, "resourceNotFound")] {
        // On time, hired on the day, and after a morning without power: the pauses begin with the first refusal.
        for (dropped, begins) in [
            ("2027-03-01T05:59:00Z", "2027-03-01T05:59:00Z"),
            ("2027-03-01T10:21:06Z", "2027-03-01T10:21:06Z"),
            ("2027-02-28T12:00:00Z", "2027-03-01T10:21:06Z"),
        ] {
            let mut world = World::new().await;
            let (dropped, begins) = (at(dropped), at(begins));
            world.clock.set(dropped);
            world.drop_ada();
            if dropped < begins {
                world.until(&(dropped + TimeDelta::minutes(5)).to_rfc3339()).await;
                world.clock.set(begins);
            }
            let heals = begins + TimeDelta::minutes(40);
            world.tenant.fault_until(heals, Some(Kind::PassCreate), When::Before, refused(status, code));
            world.until(&(begins + TimeDelta::minutes(30)).to_rfc3339()).await;
            let (hire, story) = (world.hire("E1").await, world.story().await);
            assert_eq!((hire.state.as_str(), hire.reason.as_deref()), ("attention", Some("graph-refused")), "{story}");
            let says = format!("{status} {code}: Not for this one.");
            assert!(hire.what_to_do.contains(&says) && hire.what_to_do.contains("by itself"), "{}", hire.what_to_do);
            assert_eq!(posts(&world), [0, 1, 3, 8, 18], "{status} from {begins}\n{story}");
            assert_eq!(hire.tries, 5, "{story}");
            assert!(world.letters().is_empty() && world.passes("ada.lovelace@contoso.example").is_empty());
            world.until("2027-03-01T13:00:00Z").await;
            let story = world.story().await;
            assert_eq!(world.state("E1").await, ("delivered".to_owned(), None), "{story}");
            assert_eq!((posts(&world).len(), world.code_letters().len()), (7, 1), "{story}");
            world.finish().await;
        }
    }
}

#[tokio::test]
async fn i12_passes_are_asked_for_so_often_and_a_retry_begins_anew() {
    let mut world = World::with("[schedule]\ntries = 3\n").await;
    world.drop_ada();
    world.tenant.fault_each(Some(Kind::PassCreate), When::Before, refused(400, "badRequest"));
    world.until("2027-03-01T09:00:00Z").await;
    let (hire, story) = (world.hire("E1").await, world.story().await);
    assert_eq!(posts(&world).len(), 3, "{story}");
    assert_eq!(hire.reason.as_deref(), Some("tries-exhausted"), "{story}");
    assert!(hire.what_to_do.contains("hire retry"), "{}", hire.what_to_do);
    assert_eq!(hire.next_try_utc, None, "it waits for a person");
    world.tenant.heal();
    world.operate("E1", Operate::Retry { late_until: std::time::Duration::from_hours(8) }).await;
    world.until(NOON).await;
    assert_eq!(world.state("E1").await, ("delivered".to_owned(), None), "{}", world.story().await);
    assert_eq!((posts(&world).len(), world.hire("E1").await.tries), (4, 1));
    world.finish().await;
}

/// Facts are still answered meanwhile, so it is no success that they are.
#[tokio::test]
async fn f62_two_hires_in_a_row_that_are_refused_a_pass_stop_the_tenant_once() {
    let mut world = World::with_limits("", side_by_side()).await;
    let row = |id: &str, user: &str| format!("{id},{user}@contoso.example,2027-03-01,Europe/Berlin\n");
    let file = ["employee_id,user,start_date,zone\n", &row("E1", "ada.lovelace"), &row("E3", "alan.turing")].concat();
    world.drop_file("hires.csv", &file);
    let effect = refused(403, "accessDenied");
    world.tenant.fault_until(at("2027-03-01T06:30:00Z"), Some(Kind::PassCreate), When::Before, effect);
    world.until("2027-03-01T06:29:00Z").await;
    let story = world.story().await;
    let stops = world.raw("SELECT 1 FROM event WHERE what = 'tenant-stopped'").await.len();
    assert_eq!(stops, 1, "told once\n{story}");
    let mut minutes = posts(&world);
    minutes.dedup(); // both at once
    assert_eq!(minutes, [0, 5, 10, 15, 20, 25], "five minutes between two tries\n{story}");
    let tries: Vec<i64> = world.hires().await.iter().map(|hire| hire.tries).collect();
    assert!(tries.iter().sum::<i64>() <= 1, "a stop burns no tries: {tries:?}\n{story}");
    world.until(NOON).await;
    let story = world.story().await;
    assert_eq!(world.code_letters().len(), 2, "it goes on by itself\n{story}");
    let open = world.raw("SELECT 1 FROM gate WHERE stopped IS NOT NULL").await;
    assert!(open.is_empty(), "and says so\n{story}");
    world.finish().await;
}
