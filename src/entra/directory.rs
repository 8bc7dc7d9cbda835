//! The directory: the hire's account, the manager, methods, roles, groups, verified domains.
//!
//! Reads only. Unknown fields are ignored (users are open types), everything that the documents call
//! nullable may be absent. A kind that we do not know is the kind that gets nothing.

use reqwest::Url;
use serde::Deserialize;
use uuid::Uuid;

use super::{Call, Tenant, lenient};
use crate::rules::channel::{Manager, ManagerKind, Named};
use crate::rules::guard::{Account, AccountKind, Found, Method};
use crate::rules::hire::UserRef;
use crate::rules::verdict::Failure;

const ACCOUNT: &str = "id,displayName,mail,userPrincipalName,accountEnabled,userType,preferredLanguage,\
                       creationType,externalUserState,identities";
const MANAGER: &str = "id,displayName,mail,userPrincipalName,accountEnabled,userType,preferredLanguage";
/// As many as Graph gives on one page.
const TOP: &str = "999";

/// A user, as far as we asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserBody {
    id: Uuid,
    #[serde(rename = "@odata.type", default, deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    mail: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    user_principal_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    account_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    user_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    preferred_language: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    creation_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    external_user_state: Option<String>,
    identities: Option<Vec<IdentityBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityBody {
    #[serde(default, deserialize_with = "lenient")]
    sign_in_type: Option<String>,
}

#[derive(Deserialize)]
struct IdBody {
    id: Uuid,
}

#[derive(Deserialize)]
struct KindBody {
    #[serde(rename = "@odata.type", default, deserialize_with = "lenient")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentBody {
    role_definition_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleBody {
    #[serde(default, deserialize_with = "lenient")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    role_template_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationBody {
    verified_domains: Vec<DomainBody>,
}

#[derive(Deserialize)]
struct DomainBody {
    name: String,
}

impl Tenant {
    /// The account that the feed names: by UPN, object id, or else the employee id.
    ///
    /// # Errors
    /// See [`Failure`]. 202 ("needs more time", facts 3.1) is `Unknown`, as is an account without id.
    pub async fn find_user(&self, user: &UserRef, employee_id: &str) -> Result<Found<Account>, Failure> {
        let found = match user {
            UserRef::Upn(upn) => self.get_if_any::<UserBody>(&Call::new("user", self.user_url(upn, ACCOUNT))).await?,
            UserRef::ObjectId(id) => {
                self.get_if_any::<UserBody>(&Call::new("user", self.user_url(&id.to_string(), ACCOUNT))).await?
            }
            UserRef::ByEmployeeId => {
                let mut found: Vec<UserBody> =
                    self.list(Call::new("user", self.filter_url("employeeId", employee_id, ACCOUNT))).await?;
                found.sort_unstable_by_key(|user| user.id);
                found.dedup_by_key(|user| user.id);
                if found.len() > 1 {
                    return Ok(Found::Several);
                }
                found.pop()
            }
        };
        Ok(found.map_or(Found::None, |user| Found::One(user.account())))
    }

    /// Whom the directory names as this user's manager.
    ///
    /// # Errors
    /// See [`Failure`]. Only Graph's own "no such object" is `None`; another 404 is `Refused`.
    pub async fn manager_of(&self, user: Uuid) -> Result<Option<Manager>, Failure> {
        let id = user.to_string();
        let url = self.url(["users", &id, "manager"], &[("$select", MANAGER)]);
        let body: Option<UserBody> = self.get_if_any(&Call::new("manager", url)).await?;
        Ok(body.map(UserBody::manager))
    }

    /// Whom the feed's manager text names: a UPN or mail address, an object id, else an employee id.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn named_manager(&self, text: &str) -> Result<Named, Failure> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Named::Nobody);
        }
        let one = async |text: &str| self.get_if_any::<IdBody>(&Call::new("user", self.user_url(text, "id"))).await;
        if let Ok(id) = Uuid::try_parse(text) {
            let found = one(&id.to_string()).await?;
            return Ok(found.map_or(Named::Unknown, |user| Named::Objects(vec![user.id])));
        }
        let (field, nobody) = if text.contains('@') {
            if let Some(user) = one(text).await? {
                return Ok(Named::Objects(vec![user.id]));
            }
            ("mail", Named::Unknown)
        } else {
            ("employeeId", Named::UnknownEmployeeId)
        };
        let found: Vec<IdBody> = self.list(Call::new("user", self.filter_url(field, text, "id"))).await?;
        let mut ids: Vec<Uuid> = found.into_iter().map(|user| user.id).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(if ids.is_empty() { nobody } else { Named::Objects(ids) })
    }

    /// Every registered authentication method, of any kind. One that does not say what it is has the
    /// kind `unknownAuthenticationMethod`, which counts.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn methods(&self, user: Uuid) -> Result<Vec<Method>, Failure> {
        let id = user.to_string();
        let url = self.url(["users", &id, "authentication", "methods"], &[]);
        let bodies: Vec<KindBody> = self.list(Call::new("methods", url)).await?;
        Ok(bodies
            .iter()
            .map(|body| Method(body.kind.as_deref().map_or("unknownAuthenticationMethod", short).to_owned()))
            .collect())
    }

    /// Directory roles: those held directly or through groups (names), then those assigned to the user
    /// (definition ids), which the index behind the first may lack for a while. Roles that the user
    /// may only activate (PIM) appear in neither (facts 3.3).
    ///
    /// # Errors
    /// See [`Failure`]; without both answers there is none.
    pub async fn roles(&self, user: Uuid) -> Result<Vec<String>, Failure> {
        let id = user.to_string();
        let filter = format!("principalId eq '{id}'");
        let url = self.url(["roleManagement", "directory", "roleAssignments"], &[("$filter", &filter)]);
        let direct: Vec<AssignmentBody> = self.list(Call::new("roles", url)).await?;
        let url =
            self.url(["users", &id, "transitiveMemberOf", "microsoft.graph.directoryRole"], &[("$count", "true")]);
        let held: Vec<RoleBody> = self.list(Call { what: "roles", url, eventual: true }).await?;
        let name = |role: RoleBody| {
            role.display_name.or(role.role_template_id).unwrap_or_else(|| "a role without a name".to_owned())
        };
        Ok(held.into_iter().map(name).chain(direct.into_iter().map(|role| role.role_definition_id)).collect())
    }

    /// Which of these groups the user is in, directly or through others. Asks nothing about none.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn groups_of(&self, user: Uuid, among: &[Uuid]) -> Result<Vec<Uuid>, Failure> {
        if among.is_empty() {
            return Ok(Vec::new());
        }
        let id = user.to_string();
        let url = self.url(
            ["users", &id, "transitiveMemberOf", "microsoft.graph.group"],
            &[("$count", "true"), ("$select", "id"), ("$top", TOP)],
        );
        let groups: Vec<IdBody> = self.list(Call { what: "groups", url, eventual: true }).await?;
        Ok(among.iter().copied().filter(|wanted| groups.iter().any(|group| group.id == *wanted)).collect())
    }

    /// The tenant's verified domains, as Microsoft writes them (mixed case).
    ///
    /// # Errors
    /// See [`Failure`]; `Unknown` when the answer names none.
    pub async fn domains(&self) -> Result<Vec<String>, Failure> {
        let url = self.url(["organization"], &[("$select", "id,verifiedDomains")]);
        let bodies: Vec<OrganizationBody> = self.list(Call::new("domains", url)).await?;
        let domains: Vec<String> =
            bodies.into_iter().flat_map(|body| body.verified_domains).map(|domain| domain.name).collect();
        if domains.is_empty() {
            return Err(Failure::Unknown { why: "the tenant names no verified domain".to_owned(), retry_after: None });
        }
        Ok(domains)
    }

    /// `/users/{key}`, or `/users('{key}')` for a UPN that starts with `$` (facts 1.2).
    fn user_url(&self, key: &str, select: &str) -> Url {
        let query = [("$select", select)];
        if key.starts_with('$') {
            let segment = format!("users('{}')", key.replace('\'', "''"));
            return self.url([segment.as_str()], &query);
        }
        self.url(["users", key], &query)
    }

    fn filter_url(&self, field: &str, value: &str, select: &str) -> Url {
        let filter = format!("{field} eq '{}'", value.replace('\'', "''"));
        self.url(["users"], &[("$filter", &filter), ("$select", select)])
    }
}

impl UserBody {
    fn account(self) -> Account {
        Account {
            object_id: self.id,
            kind: self.account_kind(),
            upn: self.user_principal_name.unwrap_or_default(),
            display_name: self.display_name.unwrap_or_default(),
            enabled: self.account_enabled,
        }
    }

    /// Facts 1.5: invited, federated or with an invitation's state = signs in elsewhere, whatever
    /// `userType` says.
    fn account_kind(&self) -> AccountKind {
        let invited = self.creation_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("Invitation"))
            || self.external_user_state.as_deref().is_some_and(|state| !state.is_empty());
        let federated = self.identities.iter().flatten().any(|identity| {
            identity.sign_in_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("federated"))
        });
        match self.user_type.as_deref() {
            Some("Member") if !invited && !federated => AccountKind::Member,
            Some("Guest") if !invited && !federated => AccountKind::InternalGuest,
            _ => AccountKind::ExternalGuest,
        }
    }

    fn manager(self) -> Manager {
        Manager {
            object_id: self.id,
            kind: self.manager_kind(),
            upn: self.user_principal_name.unwrap_or_default(),
            display_name: self.display_name.unwrap_or_default(),
            mail: self.mail,
            enabled: self.account_enabled,
            language: self.preferred_language,
        }
    }

    /// A user or a contact (facts 3.2). The documented example has no `@odata.type`: then what has a
    /// sign-in name and says whether it is enabled is a user.
    fn manager_kind(&self) -> ManagerKind {
        let is_user = match self.kind.as_deref() {
            Some(kind) => short(kind) == "user",
            None => self.user_principal_name.is_some() && self.account_enabled.is_some(),
        };
        match self.user_type.as_deref() {
            _ if !is_user => ManagerKind::Contact,
            Some("Member") => ManagerKind::Member,
            _ => ManagerKind::Guest,
        }
    }
}

/// `#microsoft.graph.phoneAuthenticationMethod` → `phoneAuthenticationMethod`.
fn short(kind: &str) -> &str {
    kind.rsplit('.').next().unwrap_or(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";

    fn user(fields: &str) -> UserBody {
        serde_json::from_str(&format!(r#"{{"id":"{ID}",{fields}}}"#)).unwrap()
    }

    #[test]
    fn whose_account_it_is() {
        for (fields, kind) in [
            (r#""userType":"Member""#, AccountKind::Member),
            (r#""userType":"Member","identities":[{"signInType":"userPrincipalName"}]"#, AccountKind::Member),
            (r#""userType":"Guest","identities":null,"creationType":null"#, AccountKind::InternalGuest),
            (r#""userType":"Guest","creationType":"Invitation""#, AccountKind::ExternalGuest),
            (r#""userType":"Member","externalUserState":"Accepted""#, AccountKind::ExternalGuest),
            (r#""userType":"Guest","identities":[{"signInType":"federated"}]"#, AccountKind::ExternalGuest),
            (r#""userType":null"#, AccountKind::ExternalGuest),
            (r#""userType":"Visitor""#, AccountKind::ExternalGuest),
            (r#""displayName":"x""#, AccountKind::ExternalGuest),
        ] {
            assert_eq!(user(fields).account_kind(), kind, "{fields}");
        }
    }

    #[test]
    fn what_a_manager_is() {
        let upn = r#""userPrincipalName":"m@c.example""#;
        for (fields, kind) in [
            (r##""@odata.type":"#microsoft.graph.user","userType":"Member""##.to_owned(), ManagerKind::Member),
            (r##""@odata.type":"#microsoft.graph.user","userType":"Guest""##.to_owned(), ManagerKind::Guest),
            (r##""@odata.type":"#microsoft.graph.user""##.to_owned(), ManagerKind::Guest),
            (r##""@odata.type":"#microsoft.graph.orgContact","userType":"Member""##.to_owned(), ManagerKind::Contact),
            (format!(r#"{upn},"accountEnabled":true,"userType":"Member""#), ManagerKind::Member),
            (format!(r#"{upn},"userType":"Member""#), ManagerKind::Contact),
            (r#""accountEnabled":true,"userType":"Member""#.to_owned(), ManagerKind::Contact),
        ] {
            assert_eq!(user(&fields).manager_kind(), kind, "{fields}");
        }
    }

    #[test]
    fn an_unlike_value_counts_as_absent() {
        let account = user(r#""userType":"Member","accountEnabled":"true","displayName":7"#).account();
        assert_eq!((account.enabled, account.display_name.as_str()), (None, ""));
    }
}
