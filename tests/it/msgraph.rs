//! Microsoft's own Python clients, azure-identity and msgraph-sdk, against the model tenant: they sign
//! in by secret and by certificate, and understand every answer.
//!
//! The model is ours, and so is our client: without a third they would only be right about each other.
//! Skipped, and said so, where the packages are not installed (`tests/run` installs them).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::entra::certificates::{Pair, put};
use crate::entra::provider::below_target;
use crate::world::World;

#[tokio::test]
async fn microsofts_own_clients_understand_every_answer() {
    let python = below_target("msgraph").join("venv/bin/python");
    if !python.exists() {
        eprintln!("skipped: there is no {} (tests/run makes it)", python.display());
        return;
    }
    let world = World::new().await;
    // These clients look at the real clock.
    let real = firstpass::clock::Clock::System.now();
    world.clock.set(real);
    let pair = Pair::new(real - chrono::TimeDelta::days(1), real + chrono::TimeDelta::days(30));
    let certificate = world.dir.path().join("app.pem");
    put(&certificate, &pair.pem());
    let settings = world.tenant.edit(|directory| {
        directory.certificates.push(pair.der.clone());
        directory.may_send_as = vec!["mia.manager@contoso.example".to_owned()];
        json!({
            "origin": world.tenant.origin().as_str().trim_end_matches('/'),
            "ca": world.dir.path().join("ca.pem"),
            "tenant": directory.tenant_id, "client": directory.client_id, "secret": directory.client_secret,
            "certificate": certificate, "sender": "mia.manager@contoso.example",
            "hire": "ada.lovelace@contoso.example", "manager": "mia.manager@contoso.example", "employee": "E1",
        })
    });
    world.tenant.mail_goes_to(&world.mail);
    let ran = tokio::task::spawn_blocking(move || talk(&python, &settings)).await.unwrap();
    insta::assert_json_snapshot!(ran);
    assert_eq!((world.letters().len(), world.tenant.sent_items().len()), (1, 0), "sent, and not kept");
    assert!(world.live_passes("ada.lovelace@contoso.example").is_empty(), "deleted again");
    assert_eq!(world.passes("ada.lovelace@contoso.example").len(), 2, "one by each credential");
}

fn talk(python: &Path, settings: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/msgraph/client.py");
    let mut child = Command::new(python)
        .args(["-W", "ignore"])
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(settings.to_string().as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "the client failed:\n{told}");
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {told}"))
}
