//! The client of Microsoft Graph against the model tenant, over real HTTPS.
//!
//! Numbers are those of the fault list: F97 token, F98 throttling, F99 answers, F100 echoes, F101
//! lagging lists, F93 redirects, F94 proxies, F105 a server that is not Microsoft's.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

pub(crate) mod certificates;
mod creates;
mod examples;
mod failures;
mod logs;
mod others;
pub(crate) mod provider;
mod reads;
mod tokens;

use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::clock::Clock;
use firstpass::config::{self, Limits, SecretFile};
use firstpass::entra::Tenant;
use firstpass::rules::attempt::PassAsk;
use firstpass::rules::guard::{Account, Found};
use firstpass::rules::hire::UserRef;
use firstpass::rules::verdict::Failure;
use firstpass::sandbox::tenant::{Effect, Fault, Kind, ModelTenant, ModelUser, When};
use firstpass::sandbox::tls::Ca;
use tempfile::TempDir;
use uuid::Uuid;

const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// A tenant with one hire and a manager, and our client for it.
struct Scene {
    ca: Ca,
    clock: Clock,
    model: ModelTenant,
    settings: config::Tenant,
    limits: Limits,
    ours: Tenant,
    hire: Uuid,
    manager: Uuid,
    dir: TempDir,
}

fn now() -> DateTime<Utc> {
    "2027-03-01T06:00:00Z".parse().unwrap()
}

fn scene() -> Scene {
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
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
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
        credential: config::Credential::Secret {
            client_id,
            file: SecretFile::new("client_secret_file", "./graph-secret", None, dir.path()),
        },
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
        notify: config::Notify { to: Vec::new(), digest_at: time("16:00:00"), zone: None },
        mail: config::Mail {
            from: config::Mailbox {
                name: String::new(),
                address: MailAddress::parse("onboarding@contoso.example").unwrap(),
            },
            per_minute: 30,
            reply_to: None,
            help: None,
            language: String::new(),
            templates: None,
            via: config::Via::Graph { tenant: "contoso".to_owned() },
        },
    }
}

impl Scene {
    /// Our requests against Microsoft's own document.
    fn finish(&self) {
        crate::contract::check_journal(&self.model);
    }

    fn fault(&self, kind: Kind, when: When, effect: Effect) {
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

    fn ask(&self) -> PassAsk {
        PassAsk { user: self.hire, start: Some(now() + TimeDelta::hours(2)), lifetime_min: 480, one_time: true }
    }

    fn upn(&self, upn: &str) -> UserRef {
        assert!(self.model.edit(|directory| directory.user(upn).is_some()), "{upn}");
        UserRef::Upn(upn.to_owned())
    }
}

/// What the failure is, for tables.
#[expect(clippy::needless_pass_by_value, reason = "it is asked of what a call has just returned")]
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

fn one(found: Found<Account>) -> Account {
    let Found::One(account) = found else { panic!("{found:?}") };
    account
}
