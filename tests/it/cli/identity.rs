//! Sign-in by the machine's own identity, and what `check` says of each credential.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};

use chrono::TimeDelta;
use firstpass::clock::Clock;

use super::running::noon_somewhere;
use super::{calm, command, firstpass, ran, session};
use crate::entra::certificates::{Pair, put};
use crate::world::{World, short_limits};

/// App Service's identity endpoint: plain HTTP on loopback, opened by the secret in a header.
fn identity_endpoint(token: String) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/msi/token/", listener.local_addr().unwrap());
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
            let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let until = (Clock::System.now() + TimeDelta::hours(1)).timestamp();
            let body =
                format!(r#"{{"access_token":"{token}","expires_on":"{until}","token_type":"Bearer","resource":"x"}}"#);
            let _ = write!(
                &connection,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            if sender.send(head.join("\n").to_lowercase()).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

/// A token of the model tenant for Graph, as the identity endpoint would get it.
async fn token_of(world: &World) -> String {
    use secrecy::ExposeSecret as _;
    let tenant = &world.settings.tenants[0];
    let client = firstpass::entra::Tenant::new(tenant, &short_limits(), Clock::System).unwrap();
    client.token(firstpass::entra::Scope::Graph).await.unwrap().expose_secret().to_owned()
}

pub(crate) fn edit_settings(world: &World, old: &str, new: &str) {
    let path = world.dir.path().join("firstpass.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.starts_with(old)).unwrap().to_owned();
    std::fs::write(path, text.replacen(&line, new, 1)).unwrap();
}

#[tokio::test]
async fn a_machine_with_an_identity_needs_no_secret() {
    let world = World::new().await;
    world.clock.set(Clock::System.now());
    let (endpoint, asked) = identity_endpoint(token_of(&world).await);
    edit_settings(&world, "client_secret_file", "managed_identity = true");
    std::fs::remove_file(world.dir.path().join("secret-client")).unwrap();
    let (zone, today) = noon_somewhere();
    world.drop_file(
        "hires.csv",
        &format!("employee_id,user,start_date,zone\nE1,ada.lovelace@contoso.example,{today},{zone}\n"),
    );
    let run = |endpoint: String| {
        let mut once = command(world.dir.path(), &["run", "--once"]);
        once.env("IDENTITY_ENDPOINT", endpoint).env("IDENTITY_HEADER", "h34der-s3cret");
        tokio::task::spawn_blocking(move || ran(&once.output().unwrap()))
    };
    let elsewhere = run("http://192.0.2.1/msi/token".to_owned()).await.unwrap();
    assert!(elsewhere.stdout.contains("not on this machine"), "{}{}", elsewhere.stdout, elsewhere.stderr);

    let store = world.store().await;
    store.open_gate(Clock::System.now() + TimeDelta::minutes(5), "tenant/contoso").await.unwrap();
    store.look_anew(Clock::System.now(), Clock::System.now() + TimeDelta::days(1)).await.unwrap();
    drop(store);
    let ended = run(endpoint).await.unwrap();
    assert!(ended.stdout.contains("1 delivered"), "{}{}", ended.stdout, ended.stderr);
    let head = asked.recv().unwrap();
    let client_id = world.tenant.edit(|directory| directory.client_id.clone());
    assert!(head.contains("x-identity-header: h34der-s3cret"), "{head}");
    assert!(head.contains(&format!("client_id={client_id}")), "the user-assigned identity: {head}");
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("h34der"), "never printed");
}

#[tokio::test]
async fn check_says_which_credential_and_how_long_it_lives() {
    let world = World::new().await;
    let dir = world.dir.path();
    let now = Clock::System.now();
    let until = |days| Pair::new(now - TimeDelta::days(30), now + TimeDelta::days(days) + TimeDelta::hours(1));
    let mut told = Vec::new();
    let mut look = async |what: &str| {
        let text = session(dir, &[&["check", "--offline"]]).await;
        let line = text.lines().find(|line| line.contains("tenant contoso: ")).unwrap();
        told.push(format!("{what}: {line}"));
    };
    look("secret").await;
    edit_settings(&world, "client_secret_file", "certificate_file = \"graph-key.pem\"");
    for days in [200, 29, -2] {
        put(&dir.join("graph-key.pem"), &until(days).pem());
        look(&format!("{days} days")).await;
    }
    edit_settings(&world, "certificate_file", "federated_token_file = \"secret-client\"");
    look("federated").await;
    edit_settings(&world, "federated_token_file", "managed_identity = true");
    look("managed").await;
    edit_settings(&world, "client_id", "");
    look("system-assigned").await;
    let _calm = calm(dir);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b[0-9A-F]{40}\b", "[THUMBPRINT]");
    settings.add_filter(r"\b20\d\d-\d\d-\d\d( \d\d:\d\d:\d\d UTC)?", "[DAY]");
    settings.bind(|| insta::assert_snapshot!(told.join("\n")));
    edit_settings(
        &world,
        "managed_identity",
        "certificate_file = \"graph-key.pem\"\nclient_id = \"66666666-7777-8888-9999-000000000000\"",
    );
    let ran = firstpass(dir, &["run", "--once"]).await;
    assert_eq!(ran.status, 78, "no tenant is usable: {}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("certificate that ended on"), "{}", ran.stderr);
}

#[tokio::test]
async fn check_says_who_can_read_a_secret_and_names_the_whole_key() {
    let world = World::new().await;
    let dir = world.dir.path();
    std::fs::set_permissions(dir.join("secret-client"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::remove_file(dir.join("secret-mail")).unwrap();
    let told = session(dir, &[&["check", "--offline"]]).await;
    let line = |what: &str| told.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {told}"));
    let client = line("tenant.contoso.client_secret_file");
    assert!(client.contains(" can be read by this account and the group "), "{client}");
    let mail = line("smtp.password_file");
    assert!(mail.starts_with("WRONG mail: mail.smtp.password_file: there is no file "), "{mail}");
}
