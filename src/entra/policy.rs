//! The tenant's Temporary Access Pass policy (facts 2).
//!
//! The limits are nullable in Microsoft's metadata. Without them nothing can be asked within them,
//! so such an answer is a failure; a missing `isUsableOnce` counts as the stricter one.

use serde::Deserialize;
use uuid::Uuid;

use super::{Call, Tenant, lenient};
use crate::rules::guard::{Policy, Target};
use crate::rules::verdict::Failure;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyBody {
    #[serde(default, deserialize_with = "lenient")]
    state: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    minimum_lifetime_in_minutes: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    maximum_lifetime_in_minutes: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    is_usable_once: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    default_length: Option<i64>,
    include_targets: Option<Vec<TargetBody>>,
    exclude_targets: Option<Vec<TargetBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetBody {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    target_type: Option<String>,
}

impl Tenant {
    /// What the tenant allows, lives in minutes.
    ///
    /// # Errors
    /// See [`Failure`]; `Unknown` also when the answer names no limits.
    pub async fn policy(&self) -> Result<Policy, Failure> {
        let segments =
            ["policies", "authenticationMethodsPolicy", "authenticationMethodConfigurations", "temporaryAccessPass"];
        let body: PolicyBody = self.get(&Call::new("policy", self.url(segments, &[]))).await?;
        body.policy().ok_or_else(|| Failure::Unknown {
            why: "the pass policy does not say how long a pass may live".to_owned(),
            retry_after: None,
        })
    }
}

impl PolicyBody {
    fn policy(self) -> Option<Policy> {
        let targets = |bodies: Option<Vec<TargetBody>>| {
            bodies.unwrap_or_default().iter().map(TargetBody::target).collect::<Vec<_>>()
        };
        Some(Policy {
            enabled: self.state.as_deref() == Some("enabled"),
            shortest_min: self.minimum_lifetime_in_minutes?,
            longest_min: self.maximum_lifetime_in_minutes?,
            one_time: self.is_usable_once.unwrap_or(true),
            code_length: self.default_length,
            include: targets(self.include_targets),
            exclude: targets(self.exclude_targets),
        })
    }
}

impl TargetBody {
    fn target(&self) -> Target {
        let id = self.id.as_deref().unwrap_or_default();
        match (self.target_type.as_deref(), Uuid::try_parse(id)) {
            (Some("group"), _) if id == "all_users" => Target::Everyone,
            (Some("group"), Ok(id)) => Target::Group(id),
            (Some("user"), Ok(id)) => Target::User(id),
            _ => Target::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Policy> {
        serde_json::from_str::<PolicyBody>(text).unwrap().policy()
    }

    #[test]
    fn targets_of_every_kind() {
        let id = "11111111-2222-3333-4444-555555555555";
        let text = format!(
            r#"{{"state":"enabled","minimumLifetimeInMinutes":60,"maximumLifetimeInMinutes":480,
                "includeTargets":[{{"targetType":"group","id":"all_users"}},{{"targetType":"group","id":"{id}"}},
                {{"targetType":"user","id":"{id}"}},{{"targetType":"device","id":"{id}"}},{{"id":null}}]}}"#
        );
        let policy = read(&text).unwrap();
        let id = Uuid::try_parse(id).unwrap();
        assert_eq!(
            policy.include,
            [Target::Everyone, Target::Group(id), Target::User(id), Target::Unknown, Target::Unknown]
        );
        assert!(policy.enabled && policy.exclude.is_empty());
        assert!(policy.one_time, "an unknown use is taken for the stricter one");
    }

    #[test]
    fn i19_no_limits_is_no_policy() {
        assert_eq!(read(r#"{"state":"enabled","minimumLifetimeInMinutes":60}"#), None);
        assert_eq!(read("{}"), None);
        assert!(!read(r#"{"minimumLifetimeInMinutes":1,"maximumLifetimeInMinutes":2}"#).unwrap().enabled);
    }
}
