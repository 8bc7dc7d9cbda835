//! No code, token, secret or address in any log, ours or a library's (F70 to F75).

use std::io::Write;
use std::sync::{Arc, Mutex};

use firstpass::rules::hire::UserRef;
use firstpass::sandbox::tenant::{Effect, Kind, When};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::certificates::Pair;
use super::scene;

/// Everything that is logged at trace level, on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn f70_to_f75_no_secret_and_no_address_in_any_log() {
    // In a process of its own: other tests' threads would switch lines of the log off.
    let out = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "entra::logs::everything_is_logged_and_searched", "--ignored"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn everything_is_logged_and_searched() {
    let scene = scene();
    let secret = scene.model.edit(|directory| directory.client_secret.clone());
    let log = Log::default();
    let writer = log.clone();
    let guard = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .set_default();
    let mut texts = Vec::new();
    scene.ours.find_user(&scene.upn("kim@contoso.example"), "").await.unwrap();
    scene.fault(Kind::User, When::Before, Effect::Reset);
    texts.push(scene.ours.find_user(&UserRef::ByEmployeeId, "Personnel-0042").await.unwrap_err().to_string());
    for effect in [None, Some(Effect::CutJson), Some(Effect::Reset), Some(Effect::unavailable(None))] {
        if let Some(effect) = effect {
            scene.fault(Kind::PassCreate, When::After, effect);
        }
        if let Err(failure) = scene.ours.create_pass(&scene.ask()).await {
            texts.push(format!("{failure} {failure:?}"));
        }
    }
    let body = format!(r#"{{"id":7,"temporaryAccessPass":"{}"}}"#, "Canary+1");
    scene.fault(Kind::PassCreate, When::After, Effect::Status(201, Vec::new(), body));
    let Err(failure) = scene.ours.create_pass(&scene.ask()).await else { panic!() };
    texts.push(format!("{failure} {failure:?}"));
    scene.model.edit(|directory| directory.client_secret = "another".to_owned());
    scene.model.revoke_tokens();
    texts.push(format!("{:?}", scene.ours.policy().await.unwrap_err()));
    // By certificate: neither the key nor an assertion, whether it is taken or refused.
    let pair = Pair::valid();
    let settings = scene.by_certificate(&pair.pem());
    let by_certificate = scene.client(&settings);
    texts.push(format!("{settings:?} {:?}", by_certificate.policy().await.unwrap_err()));
    scene.model.edit(|directory| directory.certificates.push(pair.der.clone()));
    by_certificate.policy().await.unwrap();
    drop(guard);

    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned() + &texts.join("\n");
    assert!(logged.contains("pass-create") && logged.contains("client_request_id"), "the log was not caught");
    assert!(logged.contains("starting new connection"), "the log of the libraries was not caught");
    let mut secrets = vec![
        secret,
        "Canary+1".to_owned(),
        "Bearer ".to_owned(),
        "eyJ".to_owned(),
        "kim@contoso".to_owned(),
        "Personnel".to_owned(),
    ];
    secrets.extend(pair.key.lines().map(str::to_owned).filter(|line| line.len() > 40));
    secrets.extend(scene.model.all_passes().into_iter().map(|(_, pass)| pass.code));
    assert!(secrets.len() >= 8);
    for secret in secrets {
        let line = logged.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
}
