//! One POST per pass, whatever comes back (F99, F100, F101).

use std::time::Duration;

use chrono::TimeDelta;
use firstpass::rules::attempt::PassAsk;
use firstpass::rules::verdict::{Failure, Said};
use firstpass::sandbox::tenant::{Echo, Effect, Kind, When};
use uuid::Uuid;

use super::{kind_of, now, scene};

#[tokio::test]
async fn a_pass_is_made_listed_and_deleted() {
    let scene = scene();
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap(), []);
    let made = scene.ours.create_pass(&scene.ask()).await.unwrap();
    let theirs = scene.model.passes(scene.hire).pop().unwrap();
    assert_eq!(made.code.unwrap().reveal(), theirs.code);
    assert_eq!(
        (made.listed.id.as_str(), made.listed.lifetime_min, made.listed.one_time),
        (theirs.id.as_str(), Some(480), Some(true))
    );
    assert_eq!((made.listed.start, made.listed.usability.as_str()), (Some(now() + TimeDelta::hours(2)), "NotYetValid"));

    let listed = scene.ours.passes(scene.hire).await.unwrap();
    assert_eq!((listed.len(), listed[0].id.as_str()), (1, theirs.id.as_str()));
    scene.ours.delete_pass(scene.hire, &theirs.id).await.unwrap();
    scene.ours.delete_pass(scene.hire, &theirs.id).await.unwrap();
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap(), []);

    let now_pass = scene.ours.create_pass(&PassAsk { start: None, ..scene.ask() }).await.unwrap();
    assert_eq!(now_pass.listed.usability, "EnabledByPolicy");
    let bodies: Vec<String> = scene
        .model
        .journal()
        .into_iter()
        .filter(|seen| seen.kind == Kind::PassCreate)
        .map(|seen| seen.body.unwrap().to_string())
        .collect();
    assert_eq!(
        bodies,
        [
            r#"{"isUsableOnce":true,"lifetimeInMinutes":480,"startDateTime":"2027-03-01T08:00:00Z"}"#,
            r#"{"isUsableOnce":true,"lifetimeInMinutes":480}"#
        ]
    );
    scene.finish();
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    scene.ours.create_pass(&scene.ask()).await.unwrap();
    let mut ids: Vec<String> = scene.model.journal().into_iter().map(|seen| seen.client_request_id.unwrap()).collect();
    assert!(ids.iter().all(|id| Uuid::try_parse(id).is_ok()), "{ids:?}");
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((count, ids.len()), (3, 3));
    scene.finish();
}

#[tokio::test]
async fn ids_that_would_mean_the_whole_list_are_not_deleted() {
    let scene = scene();
    for id in ["", ".", ".."] {
        assert_eq!(kind_of(scene.ours.delete_pass(scene.hire, id).await), "refused");
    }
    assert_eq!(scene.model.requests(), 0);
}

#[tokio::test]
async fn f99_whatever_comes_back_a_create_is_sent_once() {
    let status = |status| Effect::Status(status, Vec::new(), String::new());
    let elsewhere = vec![("location".to_owned(), "https://localhost:9/".to_owned())];
    let mut table = vec![
        (When::Before, Effect::Reset, "unknown"),
        (When::After, Effect::Reset, "unknown"),
        (When::Before, Effect::Delay(Duration::from_millis(1500)), "unknown"),
        (When::After, Effect::Delay(Duration::from_millis(1500)), "unknown"),
        (When::Before, Effect::Html, "unknown"),
        (When::After, Effect::Html, "unknown"),
        (When::Before, Effect::EmptyBody, "unknown"),
        (When::After, Effect::EmptyBody, "unknown"),
        (When::Before, Effect::CutJson, "unknown"),
        (When::After, Effect::CutJson, "unknown"),
        (When::Before, Effect::Status(307, elsewhere.clone(), String::new()), "unknown"),
        (When::Before, Effect::Status(302, elsewhere, String::new()), "unknown"),
        (When::After, Effect::unavailable(Some("7")), "unknown"),
        (When::Before, Effect::throttled(Some("2.128")), "throttled"),
        (When::After, Effect::NoCode, "ok"),
        (When::After, Effect::NullCode, "ok"),
        (When::After, Effect::Status(201, Vec::new(), format!(r#"{{"id":"p1"}}{}"#, " ".repeat(20_000))), "unknown"),
        (
            When::After,
            Effect::Status(201, vec![("content-encoding".to_owned(), "gzip".to_owned())], "\u{1f}".to_owned()),
            "unknown",
        ),
    ];
    table.extend([500, 502, 504, 509, 408, 200, 204].map(|code| (When::After, status(code), "unknown")));
    table.extend([400, 403, 404, 409, 423].map(|code| (When::Before, status(code), "refused")));
    let scene = scene();
    let ours = scene.hasty(700);
    for (when, effect, wanted) in table {
        let before = scene.model.count(Kind::PassCreate);
        let name = format!("{when:?} {effect:?}").chars().take(120).collect::<String>();
        scene.fault(Kind::PassCreate, when, effect);
        let outcome = ours.create_pass(&scene.ask()).await;
        if let Ok(made) = &outcome {
            assert!(made.code.is_none() && !made.listed.id.is_empty(), "{name}");
        }
        if let Err(Failure::Throttled { retry_after, .. }) = &outcome {
            assert_eq!(*retry_after, Some(Duration::from_millis(2128)));
        }
        assert_eq!(kind_of(outcome), wanted, "{name}");
        assert_eq!(scene.model.count(Kind::PassCreate), before + 1, "{name}");
    }
    assert_eq!(scene.model.faults_waiting(), 0);
    scene.finish();
}

#[tokio::test]
async fn f99_a_create_that_is_held_is_given_up_and_not_repeated() {
    let scene = scene();
    let ours = scene.hasty(400);
    scene.fault(Kind::PassCreate, When::Before, Effect::Hold);
    assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), "unknown");
    assert_eq!(scene.model.passes(scene.hire).len(), 0);
    scene.model.release();
    scene.fault(Kind::PassCreate, When::After, Effect::Hold);
    assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), "unknown");
    assert_eq!(scene.model.count(Kind::PassCreate), 2);
}

#[tokio::test]
async fn f100_what_graph_made_instead_is_shown_as_it_is() {
    let scene = scene();
    let echo = Echo { start_shift: Some(TimeDelta::hours(1)), lifetime_min: Some(60), one_time: Some(false) };
    scene.fault(Kind::PassCreate, When::After, Effect::Echo(echo));
    let made = scene.ours.create_pass(&scene.ask()).await.unwrap();
    assert_eq!(
        (made.listed.start, made.listed.lifetime_min, made.listed.one_time),
        (Some(now() + TimeDelta::hours(3)), Some(60), Some(false))
    );
    scene.finish();
}

#[tokio::test]
async fn f101_a_deleted_pass_that_is_still_listed_is_gone_all_the_same() {
    let scene = scene();
    scene.model.edit(|directory| directory.list_lag = Duration::from_mins(5));
    let made = scene.ours.create_pass(&scene.ask()).await.unwrap();
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap(), []);
    scene.clock.set(now() + TimeDelta::minutes(6));
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap().len(), 1);
    scene.ours.delete_pass(scene.hire, &made.listed.id).await.unwrap();
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap().len(), 1);
    scene.ours.delete_pass(scene.hire, &made.listed.id).await.unwrap();
    scene.finish();
}

#[tokio::test]
async fn graphs_own_words_reach_the_admin() {
    let scene = scene();
    scene.model.edit(|directory| directory.policy.longest_min = 60);
    let Err(Failure::Refused(said)) = scene.ours.create_pass(&scene.ask()).await else { panic!() };
    let Said { status, code, message, .. } = said;
    assert_eq!((status, code.as_str()), (400, "badRequest"));
    assert_eq!(message, "Invalid LifetimeInMinutes specified. The valid range between 60 and 60.");
    scene.model.edit(|directory| directory.permissions.retain(|role| !role.starts_with("RoleManagement")));
    scene.model.revoke_tokens();
    let Err(Failure::Refused(said)) = scene.ours.roles(scene.hire).await else { panic!() };
    assert_eq!((said.status, said.code.as_str()), (403, "Authorization_RequestDenied"));
}
