//! What the model tenant knows: accounts, groups, domains, the pass policy, the app's registration,
//! and the knobs for what Microsoft's documents leave open.
//!
//! Tests and the demonstration change it through [`super::ModelTenant::edit`]; requests only read it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

/// The whole directory, and how the model behaves where the documents are silent.
#[expect(clippy::struct_excessive_bools, reason = "knobs of a model, each with a line that says what it does")]
pub struct Directory {
    /// The tenant's id, in the token's path and `tid`.
    pub tenant_id: Uuid,
    /// The organisation's name.
    pub organization: String,
    /// The registered app.
    pub client_id: String,
    /// The app's secret; another value rotates it. Tokens that are out stay valid.
    pub client_secret: String,
    /// Certificates of the app (DER), with which it may sign in by assertion.
    pub certificates: Vec<Vec<u8>>,
    /// Issuer and subject of tokens that the app trusts (federated credentials).
    pub federated: Vec<(String, String)>,
    /// The secret is known but over (AADSTS7000222).
    pub secret_expired: bool,
    /// Application permissions: `roles` of tokens made from now on.
    pub permissions: Vec<String>,
    /// Mailboxes that a role in Exchange Online lets the app send as; no token shows that. The
    /// permission `Mail.Send` is for all of them.
    pub may_send_as: Vec<String>,
    /// Tokens end with their `exp` by the model's clock. Off by default: a clock in hand jumps over
    /// hours that the client's own cache of tokens never sees.
    pub tokens_expire: bool,
    /// Accounts by object id.
    pub users: BTreeMap<Uuid, ModelUser>,
    /// Organisational contacts by object id; a manager may be one.
    pub contacts: BTreeMap<Uuid, ModelContact>,
    /// Groups by object id; a group that only stands in an account's `groups` is a plain one.
    pub groups: BTreeMap<Uuid, ModelGroup>,
    /// The pass policy.
    pub policy: ModelPolicy,
    /// Policies of Conditional Access.
    pub access: Vec<ModelAccess>,
    /// The tenant's domains.
    pub domains: Vec<ModelDomain>,
    /// So long after the fact lists and single reads show a made or deleted pass.
    pub list_lag: Duration,
    /// At most so many entries on a page, whatever `$top` asks.
    pub page: Option<usize>,
    /// The tenant's clock runs so far ahead of ours: `Date`, `createdDateTime`, validity.
    pub skew: TimeDelta,
    /// What a request for a multi-use pass gets when the policy demands one-time passes.
    pub one_time_demand: OneTimeDemand,
    /// A start more than a minute ago is refused (400); else the pass starts now.
    pub past_start_refused: bool,
    /// A POST while a usable or coming pass exists is refused (400) instead of overriding it.
    pub existing_refused: bool,
}

/// The documents do not say which (facts 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneTimeDemand {
    /// The pass is made one-time.
    Coerce,
    /// 400.
    Refuse,
}

/// An account.
#[derive(Debug, Clone)]
pub struct ModelUser {
    /// Object id.
    pub id: Uuid,
    /// User principal name.
    pub upn: String,
    /// `displayName`.
    pub display_name: String,
    /// `employeeId`.
    pub employee_id: Option<String>,
    /// `accountEnabled`.
    pub enabled: bool,
    /// `Member`, `Guest` or nothing.
    pub user_type: Option<String>,
    /// `Invitation` for invited guests.
    pub creation_type: Option<String>,
    /// `Accepted` or `PendingAcceptance` for invited guests.
    pub external_user_state: Option<String>,
    /// Sign-in identities.
    pub identities: Vec<ModelIdentity>,
    /// `mail`.
    pub mail: Option<String>,
    /// `preferredLanguage`, e.g. `de-DE`.
    pub preferred_language: Option<String>,
    /// Object id of an account or a contact.
    pub manager: Option<Uuid>,
    /// Registered methods besides the password, e.g. `phoneAuthenticationMethod`.
    pub methods: Vec<String>,
    /// Role template ids assigned directly.
    pub roles: Vec<String>,
    /// Groups that list the account as a member.
    pub groups: Vec<Uuid>,
}

/// One entry of `identities`.
#[derive(Debug, Clone)]
pub struct ModelIdentity {
    /// `userPrincipalName`, `federated`, …
    pub sign_in_type: String,
    /// Domain of the issuer.
    pub issuer: String,
    /// Name at the issuer.
    pub issuer_assigned_id: Option<String>,
}

/// An organisational contact: has no account.
#[derive(Debug, Clone)]
pub struct ModelContact {
    /// Object id.
    pub id: Uuid,
    /// `displayName`.
    pub display_name: String,
    /// `mail`.
    pub mail: Option<String>,
}

/// A group.
#[derive(Debug, Clone, Default)]
pub struct ModelGroup {
    /// `displayName`.
    pub display_name: String,
    /// Role template ids assigned to the group.
    pub roles: Vec<String>,
    /// Groups that it is a member of.
    pub groups: Vec<Uuid>,
}

/// The pass policy (facts 2); minutes and characters.
#[derive(Debug, Clone)]
pub struct ModelPolicy {
    /// `state`.
    pub enabled: bool,
    /// `minimumLifetimeInMinutes`.
    pub shortest_min: i64,
    /// `maximumLifetimeInMinutes`.
    pub longest_min: i64,
    /// `defaultLifetimeInMinutes`.
    pub default_min: i64,
    /// `defaultLength` of a code.
    pub length: usize,
    /// All passes are one-time.
    pub one_time: bool,
    /// `includeTargets`.
    pub include: Vec<ModelTarget>,
    /// `excludeTargets`, which win.
    pub exclude: Vec<ModelTarget>,
}

/// A target of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelTarget {
    /// `all_users`.
    Everyone,
    /// A group's object id.
    Group(Uuid),
    /// An account's object id.
    User(Uuid),
}

/// A policy of Conditional Access, as far as anybody here asks about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelAccess {
    /// `displayName`.
    pub name: String,
    /// `state`: `enabled`, `disabled`, `enabledForReportingButNotEnforced`.
    pub state: String,
    /// `includeUserActions`, e.g. `urn:user:registersecurityinfo`.
    pub actions: Vec<String>,
    /// `includeUsers`: `All`, `None`, object ids.
    pub users: Vec<String>,
    /// `builtInControls`: `mfa`, `block` …; none = no `grantControls`.
    pub controls: Vec<String>,
}

impl ModelAccess {
    /// Everybody needs MFA to register security information.
    pub fn of_registration(name: &str) -> Self {
        Self {
            name: name.into(),
            state: "enabled".into(),
            actions: vec!["urn:user:registersecurityinfo".into()],
            users: vec!["All".into()],
            controls: vec!["mfa".into()],
        }
    }
}

/// A domain of the tenant.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "Graph's own members")]
pub struct ModelDomain {
    /// The name, in mixed case as Graph has it.
    pub name: String,
    /// Only verified ones stand in the organisation's list.
    pub verified: bool,
    /// May receive mail.
    pub email: bool,
    /// The default domain.
    pub default: bool,
    /// The first domain, `….onmicrosoft.com`.
    pub initial: bool,
    /// Sign-in by another identity provider.
    pub federated: bool,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            tenant_id: Uuid::from_u128(0x1111_1111_2222_3333_4444_5555_5555_5555),
            organization: "Contoso".into(),
            client_id: "00001111-aaaa-2222-bbbb-3333cccc4444".into(),
            client_secret: Uuid::new_v4().simple().to_string(),
            certificates: Vec::new(),
            federated: Vec::new(),
            secret_expired: false,
            permissions: PERMISSIONS.iter().map(|name| (*name).to_owned()).collect(),
            may_send_as: Vec::new(),
            tokens_expire: false,
            users: BTreeMap::new(),
            contacts: BTreeMap::new(),
            groups: BTreeMap::new(),
            policy: ModelPolicy::default(),
            access: Vec::new(),
            domains: vec![
                ModelDomain::verified("Contoso.example"),
                ModelDomain { default: false, initial: true, ..ModelDomain::verified("contoso.onmicrosoft.com") },
            ],
            list_lag: Duration::ZERO,
            page: None,
            skew: TimeDelta::zero(),
            one_time_demand: OneTimeDemand::Coerce,
            past_start_refused: true,
            existing_refused: false,
        }
    }
}

/// The least permissions that the worker needs (facts 3.6).
pub const PERMISSIONS: [&str; 7] = [
    "User.Read.All",
    "UserAuthMethod-TAP.ReadWrite.All",
    "UserAuthenticationMethod.Read.All",
    "Policy.Read.AuthenticationMethod",
    "RoleManagement.Read.Directory",
    "Organization.Read.All",
    "GroupMember.Read.All",
];

/// Directory roles by template id, with Microsoft's names; others have none here.
pub const ROLES: [(&str, &str); 8] = [
    ("62e90394-69f5-4237-9190-012177145e10", "Global Administrator"),
    ("fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator"),
    ("c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator"),
    ("7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator"),
    ("729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator"),
    ("29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator"),
    ("f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"),
    ("88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"),
];

impl Directory {
    /// Adds an account and says its object id.
    pub fn add(&mut self, user: ModelUser) -> Uuid {
        let id = user.id;
        self.users.insert(id, user);
        id
    }

    /// Adds a contact and says its object id.
    pub fn add_contact(&mut self, display_name: &str, mail: Option<&str>) -> Uuid {
        let id = Uuid::new_v4();
        let contact = ModelContact { id, display_name: display_name.into(), mail: mail.map(Into::into) };
        self.contacts.insert(id, contact);
        id
    }

    /// An account by object id or user principal name, to change it.
    pub fn user(&mut self, name: &str) -> Option<&mut ModelUser> {
        let id = self.find(name)?.id;
        self.users.get_mut(&id)
    }

    /// An account by object id or user principal name, in any case.
    pub fn find(&self, name: &str) -> Option<&ModelUser> {
        match Uuid::parse_str(name) {
            Ok(id) => self.users.get(&id),
            Err(_) => self.users.values().find(|user| user.upn.eq_ignore_ascii_case(name)),
        }
    }

    /// All groups that the account is in, directly or through groups.
    pub fn groups_of(&self, user: &ModelUser) -> BTreeSet<Uuid> {
        let mut found = BTreeSet::new();
        let mut open = user.groups.clone();
        while let Some(id) = open.pop() {
            if found.insert(id)
                && let Some(group) = self.groups.get(&id)
            {
                open.extend(&group.groups);
            }
        }
        found
    }

    /// Role template ids held directly or through groups.
    pub fn roles_of(&self, user: &ModelUser) -> BTreeSet<String> {
        let through = self.groups_of(user).into_iter().filter_map(|id| self.groups.get(&id));
        user.roles.iter().chain(through.flat_map(|group| &group.roles)).cloned().collect()
    }

    /// May the account use a pass, by the policy's state and targets?
    pub fn in_scope(&self, user: &ModelUser) -> bool {
        let groups = self.groups_of(user);
        let hits = |target: &ModelTarget| match target {
            ModelTarget::Everyone => true,
            ModelTarget::Group(id) => groups.contains(id),
            ModelTarget::User(id) => *id == user.id,
        };
        self.policy.enabled && self.policy.include.iter().any(hits) && !self.policy.exclude.iter().any(hits)
    }
}

impl ModelUser {
    /// An enabled member with a new object id, whose mail is the user principal name.
    pub fn member(upn: &str, display_name: &str) -> Self {
        let issuer = upn.rsplit('@').next().unwrap_or_default().to_owned();
        Self {
            id: Uuid::new_v4(),
            upn: upn.into(),
            display_name: display_name.into(),
            employee_id: None,
            enabled: true,
            user_type: Some("Member".into()),
            creation_type: None,
            external_user_state: None,
            identities: vec![ModelIdentity {
                sign_in_type: "userPrincipalName".into(),
                issuer,
                issuer_assigned_id: Some(upn.into()),
            }],
            mail: Some(upn.into()),
            preferred_language: None,
            manager: None,
            methods: Vec::new(),
            roles: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// A guest whose methods are another tenant's.
    pub fn external_guest(upn: &str, display_name: &str) -> Self {
        Self {
            user_type: Some("Guest".into()),
            creation_type: Some("Invitation".into()),
            external_user_state: Some("Accepted".into()),
            identities: vec![ModelIdentity {
                sign_in_type: "federated".into(),
                issuer: "ExternalAzureAD".into(),
                issuer_assigned_id: None,
            }],
            ..Self::member(upn, display_name)
        }
    }

    /// A guest whose methods are another tenant's cannot have a pass (facts 1.5).
    pub fn is_external(&self) -> bool {
        self.creation_type.as_deref() == Some("Invitation")
            || self.identities.iter().any(|identity| identity.sign_in_type == "federated")
    }
}

impl ModelDomain {
    /// A verified, managed default domain with mail.
    pub fn verified(name: &str) -> Self {
        Self { name: name.into(), verified: true, email: true, default: true, initial: false, federated: false }
    }
}

impl Default for ModelPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            shortest_min: 60,
            longest_min: 480,
            default_min: 60,
            length: 8,
            one_time: false,
            include: vec![ModelTarget::Everyone],
            exclude: Vec::new(),
        }
    }
}
