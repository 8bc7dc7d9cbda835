//! The bodies that Microsoft's documents print, read by our client over the wire.
//!
//! `FIRSTPASS_GRAPH_CONTRACT` names the folder with `examples/index.json`; without it this is skipped,
//! and says so. An example that nobody here reads makes the test fail: it must be read, or said not
//! to be ours.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::TimeDelta;
use firstpass::rules::channel::ManagerKind;
use firstpass::rules::guard::{AccountKind, Found, Target};
use firstpass::rules::hire::UserRef;
use firstpass::rules::verdict::Failure;
use firstpass::sandbox::tenant::{Effect, Kind, When};
use serde_json::Value;

use super::{Scene, scene};
use crate::contract::contract;

/// Calls that this program never makes.
const NOT_OURS: [&str; 10] = [
    "tap-policy-update.request.json",
    "user-manager-chain.200.json",
    "batch.request.json",
    "batch.200.json",
    "sendmail.request.json",
    "sendmail-headers.request.json",
    "sendmail-attachment.request.json",
    "lifecycle-workflow-generate-tap-task.json",
    "tap-get.200.json",
    "error-odata-model.json",
];

struct Examples {
    folder: PathBuf,
    read: BTreeSet<String>,
}

impl Examples {
    fn find() -> Option<Self> {
        let folder = contract()?.examples();
        Some(Self { folder, read: NOT_OURS.iter().map(|name| (*name).to_owned()).collect() })
    }

    fn text(&mut self, name: &str) -> String {
        self.read.insert(name.to_owned());
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// The next request of this kind is answered with this example.
    fn play(&mut self, scene: &Scene, kind: Kind, name: &str) {
        let text = self.text(name);
        let status = name.split('.').rev().nth(1).and_then(|status| status.parse().ok()).unwrap_or(400);
        scene.fault(kind, When::Before, json(status, text));
    }
}

fn json(status: u16, body: String) -> Effect {
    Effect::Status(status, vec![("content-type".to_owned(), "application/json".to_owned())], body)
}

#[tokio::test]
async fn every_documented_answer_is_read() {
    let Some(mut examples) = Examples::find() else { return };
    let scene = scene();
    let (ours, user) = (&scene.ours, scene.hire);

    examples.play(&scene, Kind::PassCreate, "tap-create.201.json");
    let made = ours.create_pass(&scene.ask()).await.unwrap();
    assert_eq!(made.code.unwrap().reveal(), "+drkzqAD");
    assert_eq!(made.listed.until(), Some("2022-06-05T01:00:00Z".parse().unwrap()));
    let asked: Value = serde_json::from_str(&examples.text("tap-create.request.json")).unwrap();
    let sent = scene.model.journal().pop().unwrap().body.unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&sent), keys(&asked));

    examples.play(&scene, Kind::PassList, "tap-list.200.json");
    let listed = ours.passes(user).await.unwrap();
    assert_eq!(listed[0].usability, "NotYetValid");
    assert_eq!(listed[0].until().unwrap() - listed[0].start.unwrap(), TimeDelta::minutes(60));

    examples.play(&scene, Kind::Policy, "tap-policy-get.200.json");
    let policy = ours.policy().await.unwrap();
    assert!(policy.enabled && !policy.one_time && policy.include == [Target::Everyone]);
    assert_eq!((policy.shortest_min, policy.longest_min), (60, 480));

    let by_id = UserRef::ObjectId(user);
    examples.play(&scene, Kind::User, "user-get-default.200.json");
    let Found::One(account) = ours.find_user(&by_id, "").await.unwrap() else { panic!() };
    // The default properties say neither, so it is nobody whom we would serve.
    assert_eq!((account.enabled, account.kind), (None, AccountKind::ExternalGuest));
    assert_eq!(account.display_name, "Adele Vance");
    examples.play(&scene, Kind::User, "user-get-select-identities.200.json");
    assert!(matches!(ours.find_user(&by_id, "").await, Err(Failure::Unknown { .. })), "it has no id");

    examples.play(&scene, Kind::Manager, "user-manager.200.json");
    let manager = ours.manager_of(user).await.unwrap().unwrap();
    assert_eq!(manager.mail.as_deref(), Some("SaraD@contoso.onmicrosoft.com"));
    assert_eq!((manager.kind, manager.enabled), (ManagerKind::Contact, None));
    examples.play(&scene, Kind::Manager, "error-no-manager.404.json");
    assert_eq!(ours.manager_of(user).await.unwrap(), None);
    examples.play(&scene, Kind::User, "error-user-not-found.404.json");
    assert_eq!(ours.find_user(&by_id, "").await.unwrap(), Found::None);

    let organization = examples.text("organization-get.200.json");
    scene.fault(Kind::Domains, When::Before, json(200, format!(r#"{{"value":[{organization}]}}"#)));
    assert_eq!(ours.domains().await.unwrap(), ["Contoso.com"]);

    examples.play(&scene, Kind::Roles, "roleassignments-by-principal.200.json");
    let roles = ours.roles(user).await.unwrap();
    assert_eq!(roles, ["62e90394-69f5-4237-9190-012177145e10", "f2ef992c-3afb-46b9-b7cf-a126ee74c451"]);
    examples.play(&scene, Kind::Groups, "transitivememberof.200.json");
    assert!(matches!(ours.groups_of(user, &[user]).await, Err(Failure::Unknown { .. })), "a group without an id");

    errors(&mut examples, &scene).await;
    let there: BTreeSet<String> = std::fs::read_dir(&examples.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "index.json")
        .collect();
    assert_eq!(there.difference(&examples.read).collect::<Vec<_>>(), Vec::<&String>::new(), "examples nobody reads");
    scene.finish();
}

async fn errors(examples: &mut Examples, scene: &Scene) {
    examples.play(scene, Kind::PassCreate, "error-throttled.429.json");
    let outcome = scene.ours.create_pass(&scene.ask()).await;
    let Err(Failure::Throttled { retry_after: None, said }) = outcome else { panic!() };
    assert_eq!(said.message, "Please retry again later.");
    for (name, code, words) in [
        ("error-tap-lifetime-out-of-range.400.json", "badRequest", "Invalid LifetimeInMinutes specified."),
        ("error-tap-not-authorized.403.json", "accessDenied", "Request Authorization failed"),
        ("error-tap-policy-does-not-allow.json", "UNKNOWN", "Converged UserCredentialPolicy does not allow"),
        ("error-tap-external-guest.json", "UNKNOWN", "Temporary Access Pass cannot be added to an external"),
        ("error-403-insufficient-privileges.json", "Authorization_RequestDenied", "Insufficient privileges"),
        ("error-sendmail-app-access-policy.403.json", "ErrorAccessDenied", "Access to OData is disabled."),
        ("error-sendmail-bad-mime.400.json", "ErrorMimeContentInvalidBase64String", "Invalid base64 string"),
    ] {
        examples.play(scene, Kind::PassCreate, name);
        let Err(Failure::Refused(said)) = scene.ours.create_pass(&scene.ask()).await else { panic!("{name}") };
        assert_eq!(said.code, code, "{name}");
        assert!(said.message.starts_with(words), "{name}: {said}");
    }
    scene.model.revoke_tokens();
    examples.play(scene, Kind::Token, "error-token-endpoint.400.json");
    let Err(Failure::Unauthorized(said)) = scene.ours.policy().await else { panic!() };
    assert_eq!(said.code, "invalid_scope");
    assert!(said.message.starts_with("AADSTS70011:") && !said.message.contains("Trace ID"), "{said}");
}
