//! What goes wrong on demand in the model tenant: before and after its own work, on the wire, and
//! with clients that die.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Echo, Effect, Fault, Kind, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{Scene, at_nine};

fn one(kind: Kind, when: When, effect: Effect) -> Fault {
    Fault { kind, nth: 1, when, effect }
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_work() {
    for (when, made) in [(When::Before, 0), (When::After, 1)] {
        let scene = Scene::new();
        scene.tenant.fault(one(Kind::PassCreate, when, Effect::Reset));
        let lost = scene.ask(Method::POST, &scene.passes_path(), Some(at_nine())).await;
        assert!(lost.is_err());
        assert_eq!(scene.tenant.passes(scene.kim).len(), made);
        let seen = scene.tenant.journal().pop().unwrap();
        assert_eq!((seen.status, seen.applied, seen.faulted), (0, (made == 1).then_some(201), true));
        assert_eq!(scene.create(at_nine()).await.0, 201, "once");
    }
}

#[tokio::test]
async fn json_is_cut_in_the_middle() {
    let scene = Scene::new();
    scene.tenant.fault(one(Kind::PassCreate, When::After, Effect::CutJson));
    let answer = scene.ask(Method::POST, &scene.passes_path(), Some(at_nine())).await.unwrap();
    assert_eq!(answer.status(), 201);
    let promised = answer.content_length().unwrap();
    assert!(promised > 100);
    assert!(answer.bytes().await.is_err());
    assert_eq!(scene.tenant.passes(scene.kim).len(), 1);
}

#[tokio::test]
async fn answers_are_replaced() {
    let scene = Scene::new();
    let path = scene.passes_path();
    scene.tenant.fault(one(Kind::PassCreate, When::Before, Effect::throttled(Some("2.128"))));
    let answer = scene.ask(Method::POST, &path, Some(at_nine())).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"2.128".parse().unwrap()));
    assert!(scene.tenant.passes(scene.kim).is_empty());

    scene.tenant.fault(one(Kind::PassCreate, When::After, Effect::Html));
    let answer = scene.ask(Method::POST, &path, Some(at_nine())).await.unwrap();
    assert_eq!(answer.status(), 201);
    assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));

    scene.tenant.fault(one(Kind::PassCreate, When::After, Effect::EmptyBody));
    let answer = scene.ask(Method::POST, &path, Some(at_nine())).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (201, ""));

    scene.tenant.fault(one(Kind::PassCreate, When::After, Effect::NoCode));
    let (_, body) = scene.create(at_nine()).await;
    assert!(body.get("temporaryAccessPass").is_none() && body["id"].is_string());
    scene.tenant.fault(one(Kind::PassCreate, When::After, Effect::NullCode));
    assert_eq!(scene.create(at_nine()).await.1["temporaryAccessPass"], Value::Null);

    let echo = Echo { start_shift: Some(TimeDelta::hours(1)), lifetime_min: Some(120), one_time: Some(false) };
    scene.tenant.fault(one(Kind::PassCreate, When::After, Effect::Echo(echo)));
    let (_, body) = scene.create(at_nine()).await;
    assert_eq!(body["startDateTime"], "2027-03-01T10:00:00Z");
    assert_eq!((&body["lifetimeInMinutes"], &body["isUsableOnce"]), (&json!(120), &json!(false)));
    assert_eq!(scene.tenant.passes(scene.kim).len(), 5);
    assert_eq!(scene.tenant.faults_waiting(), 0);
}

#[tokio::test]
async fn a_fault_counts_its_kind_or_all() {
    let scene = Scene::new();
    scene.tenant.fault(Fault { nth: 2, ..one(Kind::Domains, When::Before, Effect::unavailable(None)) });
    assert_eq!(scene.get("/organization").await.0, 200);
    assert_eq!(scene.get("/organization").await.0, 503);
    // Each question asks for a token first: the fourth request from now is the second question.
    scene.tenant.fault_any(4, When::Before, Effect::unavailable(Some("1")));
    assert_eq!(scene.get("/organization").await.0, 200);
    assert_eq!(scene.get("/organization").await.0, 503);
    scene.tenant.fault_each(Some(Kind::Domains), When::Before, Effect::throttled(None));
    for _ in 0..3 {
        assert_eq!(scene.get("/organization").await.0, 429);
    }
    scene.tenant.heal();
    assert_eq!(scene.get("/organization").await.0, 200);
}

#[tokio::test]
async fn a_held_answer_comes_when_it_is_released() {
    let scene = Scene::new();
    scene.tenant.fault(one(Kind::PassCreate, When::After, Effect::Hold));
    let asking = scene.create(at_nine());
    let releasing = async {
        scene.tenant.held().await;
        assert_eq!(scene.tenant.passes(scene.kim).len(), 1);
        scene.tenant.release();
    };
    let ((status, _), ()) = tokio::join!(asking, releasing);
    assert_eq!(status, 201);
}

/// A client that dies in the middle of its POST: held before the work, nothing is made, until the
/// hold ends; then the POST arrives late.
#[test]
fn a_held_post_may_arrive_late() {
    let scene = Scene::new();
    scene.tenant.fault(one(Kind::PassCreate, When::Before, Effect::Hold));
    let worker = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    worker.block_on(async {
        tokio::select! {
            _ = scene.create(at_nine()) => panic!("it is held"),
            () = scene.tenant.held() => {}
        }
    });
    worker.shutdown_timeout(Duration::from_secs(1));
    assert!(scene.tenant.passes(scene.kim).is_empty());
    assert_eq!(scene.tenant.holding(), 1);
    scene.tenant.release();
    let until = Instant::now() + Duration::from_secs(5);
    while scene.tenant.passes(scene.kim).is_empty() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert_eq!(scene.tenant.passes(scene.kim).len(), 1);
}

#[tokio::test]
async fn stop_frees_the_port_and_resume_keeps_the_state() {
    let scene = Scene::new();
    scene.create(at_nine()).await;
    let url = scene.tenant.origin().join("/v1.0/organization").unwrap();
    scene.tenant.stop();
    assert!(scene.http.get(url.clone()).send().await.is_err(), "also on a connection that was kept");
    assert!(scene.http.get(url.clone()).send().await.unwrap_err().is_connect());
    let port = url.port().unwrap();
    drop(std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
    scene.tenant.resume().unwrap();
    assert_eq!(scene.list().await.len(), 1);
}

#[tokio::test]
async fn many_tenants_live_in_one_process() {
    let scenes: Vec<Scene> = (0..40).map(|_| Scene::new()).collect();
    let asked = futures_util::future::join_all(scenes.iter().map(|scene| scene.create(at_nine()))).await;
    assert!(asked.iter().all(|(status, _)| *status == 201));
}
