//! The model tenant behaves as Microsoft's documents say, seen by a plain HTTP client.

use std::time::Duration;

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Kind, ModelDomain, ModelGroup, ModelTarget, ModelUser, OneTimeDemand};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::scene::{Scene, at, at_nine};

fn code_of(body: &Value) -> (&str, &str) {
    (body["error"]["code"].as_str().unwrap(), body["error"]["message"].as_str().unwrap())
}

#[tokio::test]
async fn a_pass_for_later_becomes_usable_and_ends() {
    let scene = Scene::new();
    let (status, made) = scene.create(at_nine()).await;
    assert_eq!(status, 201);
    assert_eq!(made["methodUsabilityReason"], "NotYetValid");
    assert_eq!(made["isUsable"], false);
    assert_eq!(made["startDateTime"], "2027-03-01T09:00:00Z");
    let code = made["temporaryAccessPass"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 8);
    assert!(code.chars().any(|c| c.is_ascii_punctuation()));
    assert!(!scene.tenant.use_pass(scene.kim, &code), "too early");

    let seen = &scene.list().await[0];
    assert_eq!(seen["id"], made["id"]);
    assert!(seen["temporaryAccessPass"].is_null(), "the code is shown once");
    assert_ne!(seen["createdDateTime"], made["createdDateTime"], "POST and GET differ, as documented");
    let n_digits = seen["createdDateTime"].as_str().unwrap().len() - "2027-03-01T05:59:59.Z".len();
    assert!((1..=7).contains(&n_digits), "a fraction of up to seven digits");

    scene.set("2027-03-01T09:00:00Z");
    assert_eq!(scene.list().await[0]["methodUsabilityReason"], "EnabledByPolicy");
    assert!(scene.tenant.use_pass(scene.kim, &code));
    assert!(!scene.tenant.use_pass(scene.kim, &code), "one-time");
    assert_eq!(scene.list().await[0]["methodUsabilityReason"], "OneTimeUsed");

    let (_, again) = scene.create(json!({ "lifetimeInMinutes": 60, "isUsableOnce": false })).await;
    assert_eq!(again["isUsable"], true, "without a start it is usable at once");
    scene.set("2027-03-01T10:00:00Z");
    assert_eq!(scene.list().await[0]["methodUsabilityReason"], "Expired");
}

#[tokio::test]
async fn a_new_pass_overrides_and_the_history_tells() {
    let scene = Scene::new();
    let (_, first) = scene.create(at_nine()).await;
    scene.set("2027-03-01T06:05:00Z");
    let (_, second) = scene.create(at_nine()).await;
    let passes = scene.tenant.passes(scene.kim);
    assert_eq!(passes.len(), 2);
    assert_eq!(passes[0].overridden_by.as_deref(), second["id"].as_str());
    assert_eq!(passes[0].deleted_at, Some(at("2027-03-01T06:05:00Z")));
    assert!(passes[1].deleted_at.is_none() && passes[1].by_app);
    assert!(!scene.tenant.use_pass(scene.kim, first["temporaryAccessPass"].as_str().unwrap()));
    let listed = scene.list().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], second["id"]);

    let path = format!("{}/{}", scene.passes_path(), second["id"].as_str().unwrap());
    let (status, one) = scene.get(&path).await;
    assert_eq!((status.as_u16(), &one["temporaryAccessPass"]), (200, &Value::Null));
    let gone = scene.ask(Method::DELETE, &path, None).await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(gone.bytes().await.unwrap().len(), 0);
    assert_eq!(scene.ask(Method::DELETE, &path, None).await.unwrap().status(), 404);
    assert!(scene.list().await.is_empty());
    assert!(!scene.tenant.passes(scene.kim)[1].is_live(scene.tenant.now()));
}

#[tokio::test]
async fn the_policy_is_kept() {
    let scene = Scene::new();
    let (status, body) = scene.create(json!({ "lifetimeInMinutes": 481 })).await;
    let words = "Invalid LifetimeInMinutes specified. The valid range between 60 and 480.";
    assert_eq!((status.as_u16(), code_of(&body)), (400, ("badRequest", words)));
    assert_eq!(body["error"]["innerError"]["message"], words);

    scene.tenant.edit(|d| d.policy.one_time = true);
    let (_, made) = scene.create(json!({ "isUsableOnce": false })).await;
    assert_eq!(made["isUsableOnce"], true);
    scene.tenant.edit(|d| d.one_time_demand = OneTimeDemand::Refuse);
    assert_eq!(scene.create(json!({ "isUsableOnce": false })).await.0, 400);

    scene.tenant.edit(|d| d.policy.enabled = false);
    let (status, body) = scene.create(json!({})).await;
    assert_eq!(status, 403);
    assert!(code_of(&body).1.starts_with("Converged UserCredentialPolicy does not allow"));
    assert_eq!(scene.list().await[0]["methodUsabilityReason"], "DisabledByPolicy");
    let (_, policy) =
        scene.get("/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/temporaryAccessPass").await;
    assert_eq!((&policy["state"], &policy["isUsableOnce"]), (&json!("disabled"), &json!(true)));
}

#[tokio::test]
async fn targets_reach_through_groups_and_exclusion_wins() {
    let scene = Scene::new();
    let (inner, outer) = (Uuid::new_v4(), Uuid::new_v4());
    scene.tenant.edit(|d| {
        d.policy.include = vec![ModelTarget::Group(outer)];
        d.groups.insert(inner, ModelGroup { groups: vec![outer], ..ModelGroup::default() });
    });
    assert_eq!(scene.create(at_nine()).await.0, 403);
    scene.tenant.edit(|d| d.user("kim@contoso.example").unwrap().groups.push(inner));
    assert_eq!(scene.create(at_nine()).await.0, 201);
    scene.tenant.edit(|d| d.policy.exclude = vec![ModelTarget::User(scene.kim)]);
    assert_eq!(scene.create(at_nine()).await.0, 403);
}

#[tokio::test]
async fn who_cannot_have_a_pass() {
    let scene = Scene::new();
    scene.tenant.edit(|d| {
        let guest = ModelUser { id: scene.kim, ..ModelUser::external_guest("kim_other#EXT#@contoso.example", "Kim") };
        d.add(guest)
    });
    let (status, body) = scene.create(at_nine()).await;
    assert_eq!(status, 400);
    assert_eq!(code_of(&body).1, "Temporary Access Pass cannot be added to an external guest user.");
    scene.tenant.edit(|d| d.users.remove(&scene.kim));
    let (status, body) = scene.create(at_nine()).await;
    assert_eq!((status.as_u16(), code_of(&body).0), (404, "Request_ResourceNotFound"));
    assert!(body["error"]["innerError"]["request-id"].is_string());
    assert!(!body["error"]["innerError"]["date"].as_str().unwrap().ends_with('Z'), "no zone, as documented");
}

#[tokio::test]
async fn permissions_are_the_tokens() {
    let scene = Scene::new();
    scene.tenant.edit(|d| d.permissions = vec!["UserAuthMethod-TAP.Read.All".into()]);
    let (status, body) = scene.create(at_nine()).await;
    assert_eq!((status.as_u16(), code_of(&body)), (403, ("accessDenied", "Request Authorization failed")));
    assert!(scene.list().await.is_empty());
    let (status, body) = scene.get(&format!("/users/{}", scene.kim)).await;
    assert_eq!((status.as_u16(), code_of(&body).0), (403, "Authorization_RequestDenied"));
}

#[tokio::test]
async fn tokens_are_checked() {
    let scene = Scene::new();
    let url = scene.tenant.origin().join("/v1.0/organization").unwrap();
    let bare = scene.http.get(url.clone()).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert!(bare.headers().contains_key("www-authenticate"));
    let token = scene.token().await;
    let ask = || async { scene.http.get(url.clone()).bearer_auth(&token).send().await.unwrap().status() };
    assert_eq!(ask().await, 200);
    scene.set("2027-03-01T12:00:00Z");
    assert_eq!(ask().await, 200, "a jump of the clock in hand does not end a token");
    scene.tenant.edit(|d| d.tokens_expire = true);
    assert_eq!(ask().await, 401);
    scene.tenant.edit(|d| d.tokens_expire = false);
    scene.tenant.revoke_tokens();
    assert_eq!(ask().await, 401);
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_documented() {
    let scene = Scene::new();
    let old = scene.tenant.edit(|d| std::mem::replace(&mut d.client_secret, "rotated".into()));
    let set = |name: &'static str, value: &str| {
        let value = value.to_owned();
        move |form: &mut Vec<(&'static str, String)>| {
            form.iter_mut().find(|(field, _)| *field == name).unwrap().1 = value;
        }
    };
    let cases = [
        ("client_secret", old.as_str(), 401, "invalid_client", 7_000_215),
        ("client_id", "nobody", 400, "unauthorized_client", 700_016),
        ("scope", "https://graph.example/.default", 400, "invalid_scope", 70_011),
        ("grant_type", "password", 400, "unsupported_grant_type", 70_003),
    ];
    for (field, value, status, error, number) in cases {
        let answer = scene.token_answer(set(field, value)).await;
        assert_eq!(answer.status(), status, "{field}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], error);
        assert_eq!(body["error_codes"], json!([number]));
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")));
    }
    assert_eq!(scene.token_answer(|_| {}).await.status(), 200, "the rotated secret");
    scene.tenant.edit(|d| d.secret_expired = true);
    let body: Value = scene.token_answer(|_| {}).await.json().await.unwrap();
    assert_eq!(body["error_codes"], json!([7_000_222]));
}

#[tokio::test]
async fn people_are_found_by_id_name_and_filter() {
    let scene = Scene::new();
    let (_, by_id) = scene.get(&format!("/users/{}", scene.kim)).await;
    assert_eq!(by_id["userPrincipalName"], "kim@contoso.example");
    assert!(by_id.get("accountEnabled").is_none(), "only with $select");
    let (_, by_name) = scene.get("/users/KIM%40contoso.example?$select=id,accountEnabled,userType").await;
    assert_eq!(by_name["id"], json!(scene.kim));
    assert_eq!(by_name["accountEnabled"], true);
    assert!(by_name.get("displayName").is_none());
    let (_, found) = scene.get("/users?$filter=employeeId eq 'E1001'&$select=id&$top=2").await;
    assert_eq!(found["value"], json!([{ "id": scene.kim }]));
    let (_, found) = scene.get("/users?$filter=employeeId eq 'E9'").await;
    assert_eq!(found["value"], json!([]));
    assert_eq!(scene.get("/users?$filter=city eq 'x'").await.0, 400);
    assert_eq!(scene.get("/users?$orderby=mail").await.0, 400);
    assert_eq!(scene.get("/users/nobody@contoso.example").await.0, 404);
    scene.tenant.edit(|d| d.user("robin@contoso.example").unwrap().upn = "$o'brien@contoso.example".into());
    let (_, quoted) = scene.get("/users('%24o''brien@contoso.example')?$select=id").await;
    assert_eq!(quoted["id"], json!(scene.robin));

    let (_, manager) = scene.get(&format!("/users/{}/manager?$select=id,mail,accountEnabled", scene.kim)).await;
    assert_eq!(manager["@odata.type"], "#microsoft.graph.user");
    assert_eq!(manager["mail"], "robin@contoso.example");
    scene.tenant.edit(|d| {
        let contact = d.add_contact("Agency", Some("agency@other.example"));
        d.user("kim@contoso.example").unwrap().manager = Some(contact);
    });
    let (_, manager) = scene.get(&format!("/users/{}/manager?$select=id,mail,accountEnabled", scene.kim)).await;
    assert_eq!(manager["@odata.type"], "#microsoft.graph.orgContact");
    assert!(manager.get("accountEnabled").is_none());
    let (status, none) = scene.get(&format!("/users/{}/manager", scene.robin)).await;
    assert_eq!(status, 404);
    assert!(code_of(&none).1.starts_with("Resource 'manager' does not exist"));
}

#[tokio::test]
async fn roles_are_direct_and_through_groups() {
    let scene = Scene::new();
    let group = Uuid::new_v4();
    let (direct, through) = ("62e90394-69f5-4237-9190-012177145e10", "fe930be7-5e62-47db-91af-98c3a49a38b1");
    scene.tenant.edit(|d| {
        d.groups.insert(group, ModelGroup { roles: vec![through.into()], ..ModelGroup::default() });
        let kim = d.user("kim@contoso.example").unwrap();
        kim.roles.push(direct.into());
        kim.groups.push(group);
    });
    let path = format!("/roleManagement/directory/roleAssignments?$filter=principalId eq '{}'", scene.kim);
    let (_, body) = scene.get(&path).await;
    assert_eq!(body["value"].as_array().unwrap().len(), 1);
    assert_eq!(body["value"][0]["roleDefinitionId"], direct);
    let cast = format!("/users/{}/transitiveMemberOf/microsoft.graph.directoryRole", scene.kim);
    let (_, body) = scene.get(&format!("{cast}?$count=true")).await;
    let templates: Vec<_> = body["value"].as_array().unwrap().iter().map(|r| r["roleTemplateId"].clone()).collect();
    assert_eq!(templates, [json!(direct), json!(through)]);
    assert_eq!(scene.get(&cast).await.0, 400, "a cast is an advanced query");
    let (_, body) =
        scene.get(&format!("/users/{}/transitiveMemberOf/microsoft.graph.group?$count=true", scene.kim)).await;
    assert_eq!(body["value"][0]["id"], json!(group));
    assert_eq!(body["@odata.count"], 1);
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let scene = Scene::new();
    let mut groups: Vec<Uuid> = (0..7).map(|_| Uuid::new_v4()).collect();
    groups.sort();
    scene.tenant.edit(|d| {
        d.page = Some(3);
        d.user("kim@contoso.example").unwrap().groups.clone_from(&groups);
    });
    let mut path =
        format!("/users/{}/transitiveMemberOf/microsoft.graph.group?$count=true&$select=id&$top=5", scene.kim);
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let (status, body) = scene.get(&path).await;
        assert_eq!(status, 200, "{body}");
        assert!(body["value"][0].get("displayName").is_none(), "only what was selected");
        seen.extend(body["value"].as_array().unwrap().iter().map(|g| g["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = body["@odata.nextLink"].as_str() else { break };
        let origin = scene.tenant.origin();
        path = next.strip_prefix(origin.as_str().trim_end_matches('/')).unwrap().strip_prefix("/v1.0").unwrap().into();
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, groups.iter().map(Uuid::to_string).collect::<Vec<_>>());
}

#[tokio::test]
async fn domains_are_listed_with_their_state() {
    let scene = Scene::new();
    scene.tenant.edit(|d| d.domains.push(ModelDomain { verified: false, ..ModelDomain::verified("new.example") }));
    let (_, body) = scene.get("/organization?$select=verifiedDomains").await;
    let names: Vec<_> =
        body["value"][0]["verifiedDomains"].as_array().unwrap().iter().map(|d| d["name"].clone()).collect();
    assert_eq!(names, [json!("Contoso.example"), json!("contoso.onmicrosoft.com")]);
    let (_, body) = scene.get("/domains").await;
    assert_eq!(body["value"][2]["isVerified"], false);
}

#[tokio::test]
async fn methods_name_the_password_and_the_pass() {
    let scene = Scene::new();
    scene.tenant.edit(|d| d.user("kim@contoso.example").unwrap().methods.push("phoneAuthenticationMethod".into()));
    scene.create(at_nine()).await;
    let (_, body) = scene.get(&format!("/users/{}/authentication/methods", scene.kim)).await;
    let kinds: Vec<_> = body["value"].as_array().unwrap().iter().map(|m| m["@odata.type"].clone()).collect();
    let expected = ["password", "phone", "temporaryAccessPass"];
    assert_eq!(kinds, expected.map(|kind| json!(format!("#microsoft.graph.{kind}AuthenticationMethod"))));
}

#[tokio::test]
async fn lists_lag_behind_the_truth() {
    let scene = Scene::new();
    scene.tenant.edit(|d| d.list_lag = Duration::from_mins(5));
    let (_, made) = scene.create(at_nine()).await;
    assert!(scene.list().await.is_empty(), "made but not shown");
    scene.set("2027-03-01T06:05:00Z");
    assert_eq!(scene.list().await.len(), 1);
    let path = format!("{}/{}", scene.passes_path(), made["id"].as_str().unwrap());
    assert_eq!(scene.ask(Method::DELETE, &path, None).await.unwrap().status(), 204);
    assert_eq!(scene.list().await.len(), 1, "deleted but still shown");
    scene.set("2027-03-01T06:10:00Z");
    assert!(scene.list().await.is_empty());
}

#[tokio::test]
async fn headers_are_graphs() {
    let scene = Scene::new();
    let token = scene.token().await;
    let url = scene.tenant.origin().join("/v1.0/organization").unwrap();
    let ours = Uuid::new_v4().to_string();
    let answer = scene.http.get(url).bearer_auth(token).header("client-request-id", &ours).send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("client-request-id"), ours);
    assert_eq!(header("date"), "Mon, 01 Mar 2027 06:00:00 GMT");
    assert!(Uuid::parse_str(header("request-id")).is_ok());
    assert!(header("content-type").starts_with("application/json;odata.metadata=minimal"));
    assert!(answer.headers().contains_key("x-ms-ags-diagnostic"));
    let journal = scene.tenant.journal();
    assert_eq!(journal.last().unwrap().client_request_id.as_deref(), Some(ours.as_str()));
    scene.tenant.edit(|d| d.skew = TimeDelta::minutes(5));
    let answer = scene.ask(Method::GET, "/organization", None).await.unwrap();
    assert_eq!(answer.headers()["date"], "Mon, 01 Mar 2027 06:05:00 GMT");
}

#[tokio::test]
async fn the_journal_holds_no_secret() {
    let scene = Scene::new();
    let (_, made) = scene.create(at_nine()).await;
    let secret = scene.tenant.edit(|d| d.client_secret.clone());
    let code = made["temporaryAccessPass"].as_str().unwrap();
    let text = format!("{:?}", scene.tenant.journal());
    assert!(!text.contains(&secret) && !text.contains(code) && !text.contains("eyJ"), "{text}");
    let journal = scene.tenant.journal();
    let post = journal.iter().find(|seen| seen.kind == Kind::PassCreate).unwrap();
    assert_eq!((post.status, post.applied, post.faulted), (201, Some(201), false));
    assert_eq!(post.body, Some(at_nine()));
    assert_eq!(post.answer.as_ref().unwrap()["temporaryAccessPass"], "***");
    assert_eq!(scene.tenant.requests(), journal.len());
    assert_eq!(scene.tenant.count(Kind::PassCreate), 1);
}

#[tokio::test]
async fn an_admins_pass_overrides_ours() {
    let scene = Scene::new();
    scene.create(at_nine()).await;
    let theirs = scene.tenant.foreign_pass(scene.kim, None, 60, false);
    assert_eq!(scene.list().await[0]["id"], json!(theirs.id));
    assert!(scene.tenant.use_pass(scene.kim, &theirs.code) && scene.tenant.use_pass(scene.kim, &theirs.code));
    assert!(!scene.tenant.passes(scene.kim)[1].by_app);
    assert!(scene.tenant.delete_pass(scene.kim) && !scene.tenant.delete_pass(scene.kim));
    assert_eq!(scene.tenant.all_passes().len(), 2);
}
