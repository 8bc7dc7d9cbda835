//! Policies of Conditional Access, which only `check` asks about.
//!
//! A kind of control that we do not know is still a control; a state that we do not know is off.

use serde::Deserialize;

use super::{Call, Tenant, lenient};
use crate::rules::registration::{AccessPolicy, Force};
use crate::rules::verdict::Failure;

/// Any of these lets an app read them; Microsoft's page of the list names the first.
pub const READS_ACCESS: [&str; 3] =
    ["Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyBody {
    #[serde(default, deserialize_with = "lenient")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    state: Option<String>,
    conditions: Option<Conditions>,
    grant_controls: Option<Controls>,
}

#[derive(Deserialize)]
struct Conditions {
    applications: Option<Applications>,
    users: Option<Users>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Applications {
    include_user_actions: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Users {
    #[serde(rename = "includeUsers")]
    included: Option<Vec<String>>,
    #[serde(rename = "excludeUsers")]
    left_out: Option<Vec<String>>,
    #[serde(rename = "excludeGroups")]
    groups_left_out: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Controls {
    #[serde(rename = "builtInControls")]
    built_in: Option<Vec<String>>,
    authentication_strength: Option<Strength>,
    terms_of_use: Option<Vec<String>>,
    custom_authentication_factors: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Strength {
    #[serde(default, deserialize_with = "lenient")]
    display_name: Option<String>,
}

impl Tenant {
    /// Every policy of Conditional Access. Needs one of [`READS_ACCESS`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn access_policies(&self) -> Result<Vec<AccessPolicy>, Failure> {
        let select = [("$select", "id,displayName,state,conditions,grantControls")];
        let url = self.url(["identity", "conditionalAccess", "policies"], &select);
        let bodies: Vec<PolicyBody> = self.list(Call::new("access", url)).await?;
        Ok(bodies.into_iter().map(PolicyBody::policy).collect())
    }
}

impl PolicyBody {
    fn policy(self) -> AccessPolicy {
        let (applications, users) =
            self.conditions.map_or((None, None), |conditions| (conditions.applications, conditions.users));
        AccessPolicy {
            name: self.display_name.unwrap_or_default(),
            force: match self.state.as_deref() {
                Some("enabled") => Force::On,
                Some("enabledForReportingButNotEnforced") => Force::Reports,
                _ => Force::Off,
            },
            actions: applications.and_then(|applications| applications.include_user_actions).unwrap_or_default(),
            everybody: users.is_some_and(|users| users.is_everybody()),
            asks: self.grant_controls.map(Controls::asks).unwrap_or_default(),
        }
    }
}

impl Users {
    fn is_everybody(&self) -> bool {
        let none = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
        self.included.iter().flatten().any(|user| user == "All") && none(&self.left_out) && none(&self.groups_left_out)
    }
}

impl Controls {
    fn asks(self) -> Vec<String> {
        let strength = self.authentication_strength.map(|strength| {
            let name = strength.display_name.unwrap_or_default();
            if name.is_empty() { "authentication strength".to_owned() } else { name }
        });
        let others = self.terms_of_use.into_iter().chain(self.custom_authentication_factors).flatten();
        let others = others.take(1).map(|_| "another control".to_owned());
        self.built_in.into_iter().flatten().chain(strength).chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AccessPolicy {
        serde_json::from_str::<PolicyBody>(text).unwrap().policy()
    }

    #[test]
    fn what_is_absent_guards_nothing() {
        let bare = read(r#"{"displayName":null,"state":"soon","conditions":null,"grantControls":null}"#);
        assert_eq!((bare.force, bare.actions.len(), bare.everybody, bare.asks.len()), (Force::Off, 0, false, 0));
        let strong = read(
            r#"{"displayName":"R","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeGroups":["g"]}},
                "grantControls":{"builtInControls":[],"authenticationStrength":{"displayName":"Phishing-resistant"}}}"#,
        );
        assert_eq!((strong.everybody, strong.asks), (false, vec!["Phishing-resistant".to_owned()]));
    }
}
