//! The model tenant held against Microsoft's documents: every answer against the OpenAPI document,
//! and its bodies against the documented examples, so that we do not test our idea of Graph against
//! itself.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Effect, Fault, Kind, ModelAccess, ModelGroup, ModelUser, When};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::{check_journal, contract};
use crate::scene::Scene;

/// The members of `example` stand in `ours`, of the same JSON type; null fits anything.
fn same_shape(place: &str, example: &Value, ours: &Value) -> Vec<String> {
    match (example, ours) {
        (Value::Object(wanted), Value::Object(given)) => wanted
            .iter()
            .flat_map(|(name, value)| match given.get(name) {
                Some(ours) => same_shape(&format!("{place}.{name}"), value, ours),
                None => vec![format!("{place}.{name} is missing")],
            })
            .collect(),
        (Value::Array(wanted), Value::Array(given)) => match (wanted.first(), given.first()) {
            (Some(wanted), Some(given)) => same_shape(&format!("{place}[0]"), wanted, given),
            (Some(_) | None, _) => Vec::new(),
        },
        (Value::Null, _)
        | (_, Value::Null)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => Vec::new(),
        (wanted, given) => vec![format!("{place}: {wanted} in the example, {given} here")],
    }
}

/// Holds an answer against an example: shape, and for errors the words too.
fn like(example_name: &str, ours: &Value) {
    let example = contract().unwrap().example(example_name);
    let wrong = same_shape("$", &example, ours);
    assert!(wrong.is_empty(), "{example_name}: {}\nours: {ours:#}", wrong.join("; "));
    let words = |body: &Value, name: &str| body["error"][name].as_str().map(str::to_owned);
    if let Some(code) = words(&example, "code").filter(|code| code != "UNKNOWN") {
        assert_eq!(words(ours, "code"), Some(code), "{example_name}");
    }
    // Ids differ; the rest of the sentence does not.
    let without_ids = |text: Option<String>| {
        text.map(|text| {
            text.split('\'').enumerate().filter(|(n, _)| n % 2 == 0).map(|(_, part)| part).collect::<String>()
        })
    };
    assert_eq!(without_ids(words(ours, "message")), without_ids(words(&example, "message")), "{example_name}");
}

#[tokio::test]
async fn the_documented_pass_comes_out_as_documented() {
    let Some(contract) = contract() else { return };
    let scene = Scene::new();
    scene.set("2022-06-02T16:21:09.590Z");
    let (status, made) = scene.create(contract.example("tap-create.request.json")).await;
    assert_eq!(status, 201);
    like("tap-create.201.json", &made);
    let example = contract.example("tap-create.201.json");
    for name in ["startDateTime", "lifetimeInMinutes", "isUsableOnce", "isUsable", "methodUsabilityReason"] {
        assert_eq!(made[name], example[name], "{name}");
    }
    let path = format!("{}/{}", scene.passes_path(), made["id"].as_str().unwrap());
    let (_, got) = scene.get(&path).await;
    like("tap-get.200.json", &got);
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&contract.example("tap-list.200.json")["value"][0]), keys(&scene.list().await[0]));
    let (_, list) = scene.get(&scene.passes_path()).await;
    like("tap-list.200.json", &list);
    assert_eq!(scene.ask(Method::DELETE, &path, None).await.unwrap().status(), 204);
    check_journal(&scene.tenant);
}

#[tokio::test]
async fn reads_look_as_documented() {
    if contract().is_none() {
        return;
    }
    let scene = Scene::new();
    let group = Uuid::new_v4();
    scene.tenant.edit(|d| {
        d.groups.insert(group, ModelGroup { display_name: "Sales".into(), ..ModelGroup::default() });
        let kim = d.user("kim@contoso.example").unwrap();
        kim.groups.push(group);
        kim.roles.push("62e90394-69f5-4237-9190-012177145e10".into());
    });
    let user = format!("/users/{}", scene.kim);
    for (example, path) in [
        ("user-get-default.200.json", user.clone()),
        ("user-get-select-identities.200.json", format!("{user}?$select=displayName,givenName,postalCode,identities")),
        ("user-manager.200.json", format!("{user}/manager")),
        (
            "roleassignments-by-principal.200.json",
            format!("/roleManagement/directory/roleAssignments?$filter=principalId eq '{}'", scene.kim),
        ),
        ("transitivememberof.200.json", format!("{user}/transitiveMemberOf")),
        (
            "tap-policy-get.200.json",
            "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/TemporaryAccessPass".into(),
        ),
    ] {
        let (status, body) = scene.get(&path).await;
        assert_eq!(status, 200, "{path}: {body}");
        like(example, &body);
    }
    let (_, body) = scene.get("/organization").await;
    let mut organization = body["value"][0].clone();
    organization["@odata.context"] = json!("");
    like("organization-get.200.json", &organization);
    for path in [
        format!("{user}?$select=id,accountEnabled,userType,creationType,externalUserState,identities,employeeId"),
        format!("{user}/transitiveMemberOf/microsoft.graph.directoryRole?$count=true"),
        "/organization?$select=id,verifiedDomains".into(),
        "/users?$filter=mail eq 'kim@contoso.example'".into(),
        format!("{user}/authentication/methods"),
        format!("{user}/transitiveMemberOf/microsoft.graph.group?$count=true"),
        "/domains".into(),
    ] {
        let (status, body) = scene.get(&path).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
    check_journal(&scene.tenant);
}

/// The list of Conditional Access policies is in no stored example: its members as Microsoft's page of
/// the list has them.
#[tokio::test]
async fn policies_of_conditional_access_look_as_documented() {
    let example = json!({
        "@odata.context": "",
        "value": [{
            "id": "", "displayName": "", "createdDateTime": null, "modifiedDateTime": null, "state": "disabled",
            "sessionControls": null,
            "conditions": {
                "signInRiskLevels": [], "clientAppTypes": ["all"], "platforms": null, "locations": null,
                "applications": { "includeApplications": ["None"], "excludeApplications": [], "includeUserActions": [] },
                "users": {
                    "includeUsers": ["None"], "excludeUsers": [], "includeGroups": [], "excludeGroups": [],
                    "includeRoles": [], "excludeRoles": [],
                },
            },
            "grantControls": {
                "operator": "OR", "builtInControls": ["mfa"], "customAuthenticationFactors": [], "termsOfUse": [],
            },
        }],
    });
    let scene = Scene::new();
    let path = "/identity/conditionalAccess/policies";
    scene.tenant.edit(|d| d.access.push(ModelAccess::of_registration("Registration")));
    assert_eq!(scene.get(path).await.0, 403, "Policy.Read.AuthenticationMethod is not enough");
    scene.tenant.edit(|d| d.permissions.push("Policy.Read.All".to_owned()));
    let (status, body) = scene.get(path).await;
    assert_eq!((status.as_u16(), same_shape("$", &example, &body)), (200, Vec::new()), "{body}");
    let (_, body) = scene.get(&format!("{path}?$select=id,displayName,state,conditions,grantControls")).await;
    assert_eq!(
        body["value"][0]["conditions"]["applications"]["includeUserActions"][0],
        "urn:user:registersecurityinfo"
    );
    assert!(body["value"][0].get("sessionControls").is_none(), "{body}");
    check_journal(&scene.tenant);
}

#[tokio::test]
async fn refusals_use_the_documented_words() {
    if contract().is_none() {
        return;
    }
    let scene = Scene::new();
    let (_, body) = scene.create(json!({ "lifetimeInMinutes": 10 })).await;
    like("error-tap-lifetime-out-of-range.400.json", &body);
    let (_, body) = scene.get(&format!("/users/{}/manager", scene.robin)).await;
    like("error-no-manager.404.json", &body);
    let (_, body) = scene.get(&format!("/users/{}", Uuid::new_v4())).await;
    like("error-user-not-found.404.json", &body);
    scene.tenant.edit(|d| d.policy.enabled = false);
    let (_, body) = scene.create(json!({})).await;
    like("error-tap-policy-does-not-allow.json", &body);
    scene.tenant.edit(|d| {
        let guest = ModelUser { id: scene.kim, ..ModelUser::external_guest("kim#EXT#@contoso.example", "Kim") };
        d.add(guest)
    });
    let (_, body) = scene.create(json!({})).await;
    like("error-tap-external-guest.json", &body);
    scene.tenant.edit(|d| d.permissions.clear());
    let (_, body) = scene.create(json!({})).await;
    like("error-tap-not-authorized.403.json", &body);
    let (_, body) = scene.get(&format!("/users/{}", scene.kim)).await;
    like("error-403-insufficient-privileges.json", &body);
    check_journal(&scene.tenant);

    let (when, effect) = (When::Before, Effect::throttled(Some("10")));
    scene.tenant.fault(Fault { kind: Kind::User, nth: 1, when, effect });
    let (_, body) = scene.get(&format!("/users/{}", scene.kim)).await;
    like("error-throttled.429.json", &body);

    let refused = scene.token_answer(|form| form[3].1 = "https://example.contoso.com/activity.read".into()).await;
    assert_eq!(refused.status(), 400);
    let body: Value = refused.json().await.unwrap();
    let example = contract().unwrap().example("error-token-endpoint.400.json");
    assert_eq!(same_shape("$", &example, &body), Vec::<String>::new());
    let first_line = |body: &Value| body["error_description"].as_str().unwrap().lines().next().unwrap().to_owned();
    assert_eq!(first_line(&body), first_line(&example));
    assert_eq!(body["error_codes"], example["error_codes"]);
}

#[tokio::test]
async fn every_state_of_a_pass_is_a_documented_one() {
    let Some(contract) = contract() else { return };
    let scene = Scene::new();
    scene.create(json!({ "lifetimeInMinutes": 60, "isUsableOnce": false })).await;
    for minutes in [0, 59, 60] {
        scene.clock.set(crate::scene::at("2027-03-01T06:00:00Z") + TimeDelta::minutes(minutes));
        scene.list().await;
    }
    let journal = scene.tenant.journal();
    assert_eq!(journal.iter().filter(|seen| contract.knows(seen)).count(), 4);
    check_journal(&scene.tenant);
}

#[tokio::test]
async fn the_check_finds_what_is_wrong() {
    let Some(contract) = contract() else { return };
    let of = |name: &str| json!({ "$ref": format!("#/components/schemas/microsoft.graph.{name}") });
    let pass = of("temporaryAccessPassAuthenticationMethod");
    assert!(!contract.against(&pass, &json!({ "isUsable": "yes" })).is_empty());
    assert!(!contract.against(&pass, &json!({ "startDateTime": "tomorrow" })).is_empty());
    assert!(contract.against(&pass, &json!({ "startDateTime": null })).is_empty());
    assert!(!contract.against(&of("user"), &json!({ "accountEnabled": 1 })).is_empty());
    let wrong = [
        (Method::POST, json!({ "lifetimeInMinutes": "60" })),
        (Method::POST, json!({ "temporaryAccessPass": "mine" })),
    ];
    for (method, body) in wrong {
        let scene = Scene::new();
        scene.ask(method, &scene.passes_path(), Some(body.clone())).await.unwrap();
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_journal(&scene.tenant)));
        assert!(checked.is_err(), "{body}");
    }
    let scene = Scene::new();
    scene.get(&format!("/users/{}?$select=id,shoeSize", scene.kim)).await;
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_journal(&scene.tenant))).is_err());
    let scene = Scene::new();
    scene.get(&format!("{}?$top=1", scene.passes_path())).await;
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_journal(&scene.tenant))).is_err());
}
