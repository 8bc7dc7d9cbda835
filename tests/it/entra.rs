//! The client of Microsoft Graph against the model tenant, over real HTTPS.
//!
//! Numbers are those of the fault list: F97 token, F98 throttling, F99 answers, F100 echoes, F101
//! lagging lists, F93 redirects, F94 proxies, F105 a server that is not Microsoft's.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::clock::Clock;
use firstpass::config::{self, Limits, SecretFile};
use firstpass::entra::Tenant;
use firstpass::rules::attempt::PassAsk;
use firstpass::rules::channel::{ManagerKind, Named};
use firstpass::rules::guard::{AccountKind, Found, Method, Target};
use firstpass::rules::hire::UserRef;
use firstpass::rules::verdict::{Failure, Said};
use firstpass::sandbox::tenant::{Echo, Effect, Fault, Kind, ModelGroup, ModelTarget, ModelTenant, ModelUser, When};
use firstpass::sandbox::tls::Ca;
use tempfile::TempDir;
use uuid::Uuid;

const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// A tenant with one hire and a manager, and our client for it.
pub(crate) struct Scene {
    ca: Ca,
    clock: Clock,
    pub(crate) model: ModelTenant,
    settings: config::Tenant,
    limits: Limits,
    pub(crate) ours: Tenant,
    pub(crate) hire: Uuid,
    manager: Uuid,
    dir: TempDir,
}

fn now() -> DateTime<Utc> {
    "2027-03-01T06:00:00Z".parse().unwrap()
}

pub(crate) fn scene() -> Scene {
    let (ca, clock, dir) = (Ca::new().unwrap(), Clock::hand(now()), tempfile::tempdir().unwrap());
    let model = ModelTenant::start(&ca, clock.clone(), 0).unwrap();
    let (hire, manager, secret) = model.edit(|directory| {
        let manager = directory.add(ModelUser {
            preferred_language: Some("de-DE".to_owned()),
            mail: Some("Mia.Manager@contoso.example".to_owned()),
            employee_id: Some("M-1".to_owned()),
            ..ModelUser::member("mia@contoso.example", "Mia Manager")
        });
        let hire = directory.add(ModelUser {
            employee_id: Some("0042".to_owned()),
            manager: Some(manager),
            ..ModelUser::member("kim@contoso.example", "Kim Hire")
        });
        (hire, manager, directory.client_secret.clone())
    });
    std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
    write_secret(&dir, &secret);
    let settings = settings(&model, &dir);
    let limits = Limits {
        graph_connect: Duration::from_secs(2),
        graph_request: Duration::from_secs(5),
        graph_body: 256 * 1024,
        ..Limits::default()
    };
    let ours = Tenant::new(&settings, &limits, clock.clone()).unwrap();
    Scene { ca, clock, model, settings, limits, ours, hire, manager, dir }
}

fn write_secret(dir: &TempDir, secret: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let path = dir.path().join("graph-secret");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    writeln!(file, "{secret}").unwrap();
}

fn settings(model: &ModelTenant, dir: &TempDir) -> config::Tenant {
    use firstpass::rules::calendar::Schedule;
    use firstpass::rules::channel::{ChannelRules, Mismatch};
    use firstpass::rules::guard::{ForeignPass, GuardRules, Leave, PassRules};
    use firstpass::rules::hire::MailAddress;
    let time = |text: &str| text.parse().unwrap();
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let (tenant_id, client_id) = model.edit(|directory| (directory.tenant_id, directory.client_id.parse().unwrap()));
    config::Tenant {
        name: "contoso".to_owned(),
        tenant_id,
        client_id,
        client_secret_file: SecretFile::new("client_secret_file", "./graph-secret", None, dir.path()),
        cloud: config::Cloud::Global,
        login_url: model.origin(),
        graph_url: model.origin(),
        ca_file: Some(dir.path().join("ca.pem")),
        enabled: true,
        rules: config::TenantRules {
            schedule: Schedule {
                send_at: time("07:00:00"),
                start_at: time("09:00:00"),
                late_until: hours(8),
                ready_check: hours(96),
                tries: 20,
            },
            zone: None,
            pass: PassRules { lifetime: hours(8), shortest: hours(1), one_time: true },
            guard: GuardRules {
                registered_methods: Leave::Refuse,
                ignore_methods: Vec::new(),
                foreign_pass: ForeignPass::Refuse,
            },
            channel: ChannelRules { domains: Vec::new(), manager_mismatch: Mismatch::Refuse },
        },
        mail: config::Mail {
            from: config::Mailbox {
                name: String::new(),
                address: MailAddress::parse("onboarding@contoso.example").unwrap(),
            },
            per_minute: 30,
            reply_to: None,
            help: None,
            smtp: config::Smtp {
                host: "localhost".to_owned(),
                port: 25,
                tls: config::Tls::None,
                auth: config::Auth::None,
                username: String::new(),
                password_file: None,
                ca_file: None,
            },
        },
    }
}

impl Scene {
    pub(crate) fn fault(&self, kind: Kind, when: When, effect: Effect) {
        self.model.fault(Fault { kind, nth: 1, when, effect });
    }

    /// Our client with other limits.
    fn with(&self, limits: &Limits) -> Tenant {
        Tenant::new(&self.settings, limits, self.clock.clone()).unwrap()
    }

    /// Waits no longer than `millis` for an answer.
    fn hasty(&self, millis: u64) -> Tenant {
        self.with(&Limits { graph_request: Duration::from_millis(millis), ..self.limits.clone() })
    }

    pub(crate) fn ask(&self) -> PassAsk {
        PassAsk { user: self.hire, start: Some(now() + TimeDelta::hours(2)), lifetime_min: 480, one_time: true }
    }

    fn upn(&self, upn: &str) -> UserRef {
        assert!(self.model.edit(|directory| directory.user(upn).is_some()), "{upn}");
        UserRef::Upn(upn.to_owned())
    }
}

/// What the failure is, for tables.
fn kind_of<T>(outcome: Result<T, Failure>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(Failure::NotSent(_)) => "not sent",
        Err(Failure::Throttled { .. }) => "throttled",
        Err(Failure::Refused(_)) => "refused",
        Err(Failure::Unauthorized(_)) => "unauthorized",
        Err(Failure::Unknown { .. }) => "unknown",
    }
}

fn one(found: Found<firstpass::rules::guard::Account>) -> firstpass::rules::guard::Account {
    let Found::One(account) = found else { panic!("{found:?}") };
    account
}

#[tokio::test]
async fn a_user_is_found_by_upn_object_id_and_employee_id() {
    let scene = scene();
    for user in [scene.upn("kim@contoso.example"), UserRef::ObjectId(scene.hire), UserRef::ByEmployeeId] {
        let account = one(scene.ours.find_user(&user, "0042").await.unwrap());
        assert_eq!(account.object_id, scene.hire);
        assert_eq!((account.upn.as_str(), account.display_name.as_str()), ("kim@contoso.example", "Kim Hire"));
        assert_eq!((account.enabled, account.kind), (Some(true), AccountKind::Member));
    }
    for user in [UserRef::Upn("no@contoso.example".to_owned()), UserRef::ObjectId(Uuid::new_v4()), UserRef::ByEmployeeId] {
        assert_eq!(scene.ours.find_user(&user, "42").await.unwrap(), Found::None, "{user:?}");
    }
    // One token for all of it.
    assert_eq!(scene.model.count(Kind::Token), 1);
}

#[tokio::test]
async fn odd_names_are_escaped() {
    let scene = scene();
    for upn in ["eve_fabrikam.example#EXT#@contoso.example", "o'hara+x@contoso.example", "a%2Fb@contoso.example"] {
        let id = scene.model.edit(|directory| directory.add(ModelUser::member(upn, "Odd")));
        assert_eq!(one(scene.ours.find_user(&scene.upn(upn), "").await.unwrap()).object_id, id, "{upn}");
        assert_eq!(scene.ours.named_manager(upn).await.unwrap(), Named::Objects(vec![id]), "{upn}");
    }
    // A leading `$` needs the documented other form, which the model does not serve.
    let _ = scene.ours.find_user(&UserRef::Upn("$o'x@contoso.example".to_owned()), "").await;
    let asked = scene.model.journal().pop().unwrap().path;
    assert!(asked.starts_with("/v1.0/users('$o''x@contoso.example')?$select=id"), "{asked}");
    scene.model.edit(|directory| directory.user("kim@contoso.example").unwrap().employee_id = Some("O'H+1 & #2".to_owned()));
    let found = scene.ours.find_user(&UserRef::ByEmployeeId, "O'H+1 & #2").await.unwrap();
    assert_eq!(one(found).object_id, scene.hire);
    let nobody = scene.ours.find_user(&UserRef::ByEmployeeId, "' or employeeId ne '").await.unwrap();
    assert_eq!(nobody, Found::None);
}

#[tokio::test]
async fn two_of_one_employee_id_are_never_chosen_from() {
    let scene = scene();
    scene.model.edit(|directory| {
        directory.page = Some(1);
        directory.add(ModelUser { employee_id: Some("0042".to_owned()), ..ModelUser::member("kim2@contoso.example", "Kim") })
    });
    assert_eq!(scene.ours.find_user(&UserRef::ByEmployeeId, "0042").await.unwrap(), Found::Several);
}

#[tokio::test]
async fn guests_and_disabled_accounts_are_told_apart() {
    let scene = scene();
    scene.model.edit(|directory| {
        directory.add(ModelUser::external_guest("guest@contoso.example", "Guest"));
        directory.add(ModelUser { user_type: Some("Guest".to_owned()), ..ModelUser::member("inner@contoso.example", "Inner") });
        directory.add(ModelUser { user_type: None, enabled: false, ..ModelUser::member("odd@contoso.example", "Odd") });
    });
    for (upn, kind, enabled) in [
        ("guest@contoso.example", AccountKind::ExternalGuest, true),
        ("inner@contoso.example", AccountKind::InternalGuest, true),
        ("odd@contoso.example", AccountKind::ExternalGuest, false),
    ] {
        let account = one(scene.ours.find_user(&scene.upn(upn), "").await.unwrap());
        assert_eq!((account.kind, account.enabled), (kind, Some(enabled)), "{upn}");
    }
}

#[tokio::test]
async fn a_manager_is_a_user_a_contact_or_nobody() {
    let scene = scene();
    let manager = scene.ours.manager_of(scene.hire).await.unwrap().unwrap();
    assert_eq!((manager.object_id, manager.kind, manager.enabled), (scene.manager, ManagerKind::Member, Some(true)));
    assert_eq!(manager.mail.as_deref(), Some("Mia.Manager@contoso.example"));
    assert_eq!((manager.upn.as_str(), manager.language.as_deref()), ("mia@contoso.example", Some("de-DE")));

    let contact = scene.model.edit(|directory| {
        let contact = directory.add_contact("Carl Contact", Some("carl@contoso.example"));
        directory.users.get_mut(&scene.hire).unwrap().manager = Some(contact);
        contact
    });
    let manager = scene.ours.manager_of(scene.hire).await.unwrap().unwrap();
    assert_eq!((manager.object_id, manager.kind, manager.enabled), (contact, ManagerKind::Contact, None));

    scene.model.edit(|directory| directory.users.get_mut(&scene.hire).unwrap().manager = None);
    assert_eq!(scene.ours.manager_of(scene.hire).await.unwrap(), None);
    // Only Graph's own words for "no such object" mean that there is none.
    let code = |code| Effect::graph_error(404, code, "Resource 'manager' does not exist");
    for effect in [Effect::Status(404, Vec::new(), "<html>not here</html>".to_owned()), code("UnknownError"), code("")] {
        scene.fault(Kind::Manager, When::Before, effect);
        assert_eq!(kind_of(scene.ours.manager_of(scene.hire).await), "refused");
    }
}

#[tokio::test]
async fn the_feeds_manager_is_looked_for_by_every_name() {
    let scene = scene();
    let theirs = Named::Objects(vec![scene.manager]);
    for text in ["mia@contoso.example", "mia.manager@contoso.example", " M-1 ", &scene.manager.to_string()] {
        assert_eq!(scene.ours.named_manager(text).await.unwrap(), theirs, "{text}");
    }
    assert_eq!(scene.ours.named_manager("").await.unwrap(), Named::Nobody);
    assert_eq!(scene.ours.named_manager("M-2").await.unwrap(), Named::UnknownEmployeeId);
    assert_eq!(scene.ours.named_manager("no@contoso.example").await.unwrap(), Named::Unknown);
    assert_eq!(scene.ours.named_manager(&Uuid::new_v4().to_string()).await.unwrap(), Named::Unknown);
    let twin = scene.model.edit(|directory| {
        directory.add(ModelUser { employee_id: Some("M-1".to_owned()), ..ModelUser::member("twin@contoso.example", "Twin") })
    });
    let Named::Objects(both) = scene.ours.named_manager("M-1").await.unwrap() else { panic!() };
    assert!(both.len() == 2 && both.contains(&twin) && both.contains(&scene.manager));
}

#[tokio::test]
async fn methods_roles_groups_policy_and_domains_are_read() {
    let scene = scene();
    let ours = &scene.ours;
    assert_eq!(ours.methods(scene.hire).await.unwrap(), [Method("passwordAuthenticationMethod".to_owned())]);
    assert_eq!(ours.roles(scene.hire).await.unwrap(), Vec::<String>::new());
    let (group, other) = scene.model.edit(|directory| {
        let (outer, inner, other) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
        directory.groups.insert(outer, ModelGroup { roles: vec![GLOBAL_ADMINISTRATOR.to_owned()], ..ModelGroup::default() });
        directory.groups.insert(inner, ModelGroup { groups: vec![outer], ..ModelGroup::default() });
        let hire = directory.users.get_mut(&scene.hire).unwrap();
        hire.groups = vec![inner];
        hire.methods = vec!["phoneAuthenticationMethod".to_owned(), "fido2AuthenticationMethod".to_owned()];
        directory.policy.include = vec![ModelTarget::Group(outer)];
        directory.policy.exclude = vec![ModelTarget::User(scene.manager)];
        directory.policy.one_time = true;
        directory.page = Some(1);
        (outer, other)
    });
    let methods: Vec<String> = ours.methods(scene.hire).await.unwrap().into_iter().map(|method| method.0).collect();
    assert_eq!(methods, ["passwordAuthenticationMethod", "phoneAuthenticationMethod", "fido2AuthenticationMethod"]);
    assert_eq!(ours.roles(scene.hire).await.unwrap(), ["Global Administrator"]);
    scene.model.edit(|directory| directory.users.get_mut(&scene.manager).unwrap().roles = vec![GLOBAL_ADMINISTRATOR.to_owned()]);
    assert_eq!(ours.roles(scene.manager).await.unwrap(), ["Global Administrator", GLOBAL_ADMINISTRATOR]);

    assert_eq!(ours.groups_of(scene.hire, &[other, group]).await.unwrap(), [group]);
    let before = scene.model.requests();
    assert_eq!(ours.groups_of(scene.hire, &[]).await.unwrap(), Vec::<Uuid>::new());
    assert_eq!(scene.model.requests(), before);

    let policy = ours.policy().await.unwrap();
    assert!(policy.enabled && policy.one_time && (policy.shortest_min, policy.longest_min) == (60, 480));
    assert_eq!((policy.include, policy.exclude), (vec![Target::Group(group)], vec![Target::User(scene.manager)]));
    assert_eq!(ours.domains().await.unwrap(), ["Contoso.example", "contoso.onmicrosoft.com"]);
    assert!(ours.permissions().await.unwrap().contains(&"UserAuthMethod-TAP.ReadWrite.All".to_owned()));
    assert_eq!(ours.skew().map(|skew| skew.num_seconds()), Some(0));
}

#[tokio::test]
async fn a_pass_is_made_listed_and_deleted() {
    let scene = scene();
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap(), []);
    let made = scene.ours.create_pass(&scene.ask()).await.unwrap();
    let theirs = scene.model.passes(scene.hire).pop().unwrap();
    assert_eq!(made.code.unwrap().reveal(), theirs.code);
    assert_eq!((made.listed.id.as_str(), made.listed.lifetime_min, made.listed.one_time), (theirs.id.as_str(), Some(480), Some(true)));
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
        (When::After, Effect::Status(201, Vec::new(), "x".repeat(300_000)), "unknown"),
        (When::After, Effect::Status(201, vec![("content-encoding".to_owned(), "gzip".to_owned())], "\u{1f}".to_owned()), "unknown"),
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
async fn f99_reads_and_deletes_that_get_no_clear_answer() {
    let scene = scene();
    let ours = scene.hasty(700);
    let ask = async |kind: Kind| match kind {
        Kind::User => kind_of(ours.find_user(&UserRef::ObjectId(scene.hire), "").await),
        Kind::Manager => kind_of(ours.manager_of(scene.hire).await),
        Kind::Methods => kind_of(ours.methods(scene.hire).await),
        Kind::Roles => kind_of(ours.roles(scene.hire).await),
        Kind::Groups => kind_of(ours.groups_of(scene.hire, &[scene.hire]).await),
        Kind::Policy => kind_of(ours.policy().await),
        Kind::Domains => kind_of(ours.domains().await),
        Kind::PassList => kind_of(ours.passes(scene.hire).await),
        Kind::PassDelete => kind_of(ours.delete_pass(scene.hire, "p1").await),
        other => panic!("{other:?}"),
    };
    let kinds = [
        Kind::User, Kind::Manager, Kind::Methods, Kind::Roles, Kind::Groups, Kind::Policy, Kind::Domains, Kind::PassList,
    ];
    let status = |status| Effect::Status(status, Vec::new(), "{}".to_owned());
    for kind in kinds.into_iter().chain([Kind::PassDelete]) {
        let mut table = vec![
            (When::After, Effect::Reset, "unknown"),
            (When::Before, Effect::Html, "unknown"),
            (When::After, status(500), "unknown"),
            (When::After, status(202), "unknown"),
            (When::After, status(302), "unknown"),
            (When::After, status(403), "refused"),
            (When::Before, Effect::throttled(Some("3")), "throttled"),
        ];
        if kind != Kind::PassDelete {
            table.extend([
                (When::After, Effect::Html, "unknown"),
                (When::After, Effect::EmptyBody, "unknown"),
                (When::After, Effect::CutJson, "unknown"),
                (When::After, status(200), "unknown"),
                (When::After, Effect::Status(200, Vec::new(), " ".repeat(300_000)), "unknown"),
                (When::Before, status(404), "refused"),
            ]);
        }
        for (when, effect, wanted) in table {
            let name = format!("{kind:?} {when:?} {effect:?}").chars().take(120).collect::<String>();
            scene.fault(kind, when, effect);
            assert_eq!(ask(kind).await, wanted, "{name}");
        }
        scene.fault(kind, When::After, Effect::unavailable(Some("7")));
        assert_eq!(ask(kind).await, "unknown", "{kind:?}");
    }
    for kind in [Kind::PassList, Kind::PassDelete] {
        scene.fault(kind, When::After, Effect::Delay(Duration::from_millis(1200)));
        assert_eq!(ask(kind).await, "unknown", "{kind:?}");
    }
}

#[tokio::test]
async fn f98_a_503_says_when_to_come_back() {
    let scene = scene();
    for (header, wanted) in [
        (Some("7"), Some(7000)),
        (Some("0.5"), Some(500)),
        (Some("0"), Some(0)),
        (Some("999999"), Some(3_600_000)),
        (Some("Mon, 01 Mar 2027 06:00:30 GMT"), Some(30_000)),
        (Some("-3"), None),
        (None, None),
    ] {
        scene.fault(Kind::Policy, When::Before, Effect::unavailable(header));
        let Err(Failure::Unknown { retry_after, .. }) = scene.ours.policy().await else { panic!("{header:?}") };
        assert_eq!(retry_after, wanted.map(Duration::from_millis), "{header:?}");
        scene.fault(Kind::Policy, When::Before, Effect::throttled(header));
        let Err(Failure::Throttled { retry_after, said }) = scene.ours.policy().await else { panic!("{header:?}") };
        assert_eq!(retry_after, wanted.map(Duration::from_millis), "{header:?}");
        assert_eq!(said.code, "TooManyRequests");
    }
}

#[tokio::test]
async fn f93_a_redirect_is_not_followed_with_the_token() {
    let mut scene = scene();
    let other = ModelTenant::start(&scene.ca, scene.clock.clone(), 0).unwrap();
    let location = vec![("location".to_owned(), other.origin().join("/v1.0/users").unwrap().to_string())];
    for status in [301, 302, 303, 307, 308] {
        let effect = || Effect::Status(status, location.clone(), String::new());
        scene.fault(Kind::Token, When::Before, effect());
        assert_eq!(kind_of(scene.ours.policy().await), "not sent", "{status}");
        scene.fault(Kind::User, When::Before, effect());
        assert_eq!(kind_of(scene.ours.find_user(&UserRef::ObjectId(scene.hire), "").await), "unknown", "{status}");
        scene.fault(Kind::PassCreate, When::Before, effect());
        assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "unknown", "{status}");
        scene.fault(Kind::PassDelete, When::Before, effect());
        assert_eq!(kind_of(scene.ours.delete_pass(scene.hire, "p1").await), "unknown", "{status}");
        scene.ours = Tenant::new(&scene.settings, &scene.limits, scene.clock.clone()).unwrap();
    }
    let next = format!(r#"{{"value":[],"@odata.nextLink":"{}v1.0/users?x=1"}}"#, other.origin());
    scene.fault(Kind::PassList, When::After, Effect::Status(200, Vec::new(), next));
    assert_eq!(kind_of(scene.ours.passes(scene.hire).await), "unknown");
    assert_eq!(other.requests(), 0);
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let scene = scene();
    let url = scene.model.origin().join("/v1.0/organization").unwrap();
    let body = format!(r#"{{"value":[{{"verifiedDomains":[{{"name":"a.example"}}]}}],"@odata.nextLink":"{url}"}}"#);
    scene.model.fault_each(Some(Kind::Domains), When::After, Effect::Status(200, Vec::new(), body));
    assert_eq!(kind_of(scene.ours.domains().await), "unknown");
    assert_eq!(scene.model.count(Kind::Domains), 20);
}

#[tokio::test]
async fn f97_a_token_that_is_refused_is_renewed_once() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    scene.model.revoke_tokens();
    scene.ours.policy().await.unwrap();
    assert_eq!((scene.model.count(Kind::Token), scene.model.count(Kind::Policy)), (2, 3));
    scene.model.fault_each(Some(Kind::Policy), When::Before, Effect::graph_error(401, "InvalidAuthenticationToken", "no"));
    let Err(Failure::Unauthorized(said)) = scene.ours.policy().await else { panic!() };
    assert_eq!((said.status, said.code.as_str()), (401, "InvalidAuthenticationToken"));
    assert_eq!((scene.model.count(Kind::Token), scene.model.count(Kind::Policy)), (3, 5));
}

#[tokio::test]
async fn f97_a_create_that_is_refused_with_401_waits_for_the_next_attempt() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    scene.model.revoke_tokens();
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "not sent");
    assert_eq!(scene.model.count(Kind::PassCreate), 1);
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "ok");
    assert_eq!((scene.model.count(Kind::PassCreate), scene.model.count(Kind::Token)), (2, 2));
    scene.model.fault_each(Some(Kind::PassCreate), When::Before, Effect::graph_error(401, "x", "no"));
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "not sent");
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "unauthorized");
}

#[tokio::test]
async fn f97_a_new_secret_is_read_when_the_old_one_is_refused() {
    let scene = scene();
    scene.model.edit(|directory| directory.client_secret = "a-new-secret".to_owned());
    let Err(Failure::Unauthorized(said)) = scene.ours.policy().await else { panic!() };
    assert_eq!(said.code, "invalid_client");
    assert!(said.message.starts_with("AADSTS7000215"), "{said}");
    assert_eq!(scene.model.count(Kind::Policy), 0);
    write_secret(&scene.dir, "a-new-secret");
    scene.ours.policy().await.unwrap();

    scene.model.revoke_tokens();
    std::fs::remove_file(scene.dir.path().join("graph-secret")).unwrap();
    let Err(Failure::Unauthorized(said)) = scene.ours.policy().await else { panic!() };
    assert!(said.message.contains("graph-secret"), "{said}");
}

#[tokio::test]
async fn f97_a_token_endpoint_that_is_ill_stops_nothing_for_good() {
    let scene = scene();
    let ours = scene.hasty(500);
    for (effect, wanted) in [
        (Effect::Reset, "not sent"),
        (Effect::Html, "not sent"),
        (Effect::EmptyBody, "not sent"),
        (Effect::Delay(Duration::from_millis(900)), "not sent"),
        (Effect::Status(200, Vec::new(), "{}".to_owned()), "not sent"),
        (Effect::Status(200, Vec::new(), "x".repeat(100_000)), "not sent"),
        (Effect::Status(500, Vec::new(), String::new()), "not sent"),
        (Effect::unavailable(Some("9")), "throttled"),
        (Effect::throttled(None), "throttled"),
    ] {
        let name = format!("{effect:?}").chars().take(100).collect::<String>();
        let before = scene.model.count(Kind::Token);
        scene.fault(Kind::Token, When::Before, effect);
        // A create that got no token was certainly not sent.
        assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), wanted, "{name}");
        assert_eq!(scene.model.count(Kind::Token), before + 1, "no retry below us: {name}");
    }
    assert_eq!(scene.model.count(Kind::PassCreate), 0);
    ours.create_pass(&scene.ask()).await.unwrap();
}

#[tokio::test]
async fn f105_without_the_right_server_nothing_is_sent() {
    let scene = scene();
    // Somebody else's certificate.
    std::fs::write(scene.dir.path().join("ca.pem"), Ca::new().unwrap().pem()).unwrap();
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "not sent");
    assert_eq!(scene.model.requests(), 0);
    // Nobody listens.
    std::fs::write(scene.dir.path().join("ca.pem"), scene.ca.pem()).unwrap();
    let ours = scene.with(&scene.limits);
    ours.policy().await.unwrap();
    scene.model.stop();
    assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), "not sent");
    // No such file; no https.
    std::fs::remove_file(scene.dir.path().join("ca.pem")).unwrap();
    assert_eq!(kind_of(scene.with(&scene.limits).policy().await), "not sent");
    let mut clear = scene.settings.clone();
    clear.graph_url = "http://localhost:1".parse().unwrap();
    assert!(Tenant::new(&clear, &scene.limits, scene.clock.clone()).is_err());
}

#[tokio::test]
async fn a_server_that_never_ends_its_handshake_was_sent_nothing() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = scene.settings.clone();
    settings.graph_url = format!("https://localhost:{}", silent.local_addr().unwrap().port()).parse().unwrap();
    let limits = Limits { graph_connect: Duration::from_millis(300), ..scene.limits.clone() };
    // The scope of the token follows the other address, and the model does not know it.
    scene.model.fault_each(Some(Kind::Token), When::Before, token_answer());
    let ours = Tenant::new(&settings, &limits, scene.clock.clone()).unwrap();
    assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), "not sent");
}

fn token_answer() -> Effect {
    let body = r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"opaque"}"#;
    Effect::Status(200, vec![("content-type".to_owned(), "application/json".to_owned())], body.to_owned())
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
}

#[tokio::test]
async fn f101_a_deleted_pass_that_is_still_listed_is_gone_all_the_same() {
    let scene = scene();
    scene.model.edit(|directory| directory.list_lag = Duration::from_secs(300));
    let made = scene.ours.create_pass(&scene.ask()).await.unwrap();
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap(), []);
    scene.clock.set(now() + TimeDelta::minutes(6));
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap().len(), 1);
    scene.ours.delete_pass(scene.hire, &made.listed.id).await.unwrap();
    assert_eq!(scene.ours.passes(scene.hire).await.unwrap().len(), 1);
    scene.ours.delete_pass(scene.hire, &made.listed.id).await.unwrap();
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

#[tokio::test]
async fn a_clock_that_disagrees_is_seen() {
    let scene = scene();
    assert_eq!(scene.ours.skew(), None);
    scene.model.edit(|directory| directory.skew = TimeDelta::minutes(3));
    scene.ours.policy().await.unwrap();
    assert_eq!(scene.ours.skew(), Some(TimeDelta::minutes(3)));
}

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

#[tokio::test]
async fn f70_to_f75_no_secret_and_no_address_in_any_log() {
    use tracing_subscriber::util::SubscriberInitExt as _;
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
    drop(guard);

    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned() + &texts.join("\n");
    assert!(logged.contains("pass-create") && logged.contains("client_request_id"), "the log was not caught");
    assert!(logged.contains("starting new connection"), "the log of the libraries was not caught");
    let mut secrets = vec![secret, "Canary+1".to_owned(), "Bearer ".to_owned(), "eyJ".to_owned(), "kim@contoso".to_owned()];
    secrets.extend(scene.model.all_passes().into_iter().map(|(_, pass)| pass.code));
    assert!(secrets.len() >= 8);
    for secret in secrets {
        let line = logged.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[test]
fn f94_a_proxy_out_of_the_environment_is_ignored() {
    let nobody = "http://127.0.0.1:9";
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "entra::a_pass_is_made_listed_and_deleted"])
        .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"].map(|name| (name, nobody)))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && out.contains("1 passed"), "{out}");
}
