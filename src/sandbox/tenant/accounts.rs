//! How the model tenant writes accounts, contacts, groups, roles and domains.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::directory::{Directory, ModelAccess, ModelContact, ModelDomain, ModelTarget, ModelUser, ROLES};

/// Members that an account has without `$select` (facts 3.1).
pub(super) const USUAL: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// The members of an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// An account with every member that the model knows.
pub(super) fn user(user: &ModelUser) -> Map<String, Value> {
    let mut names = user.display_name.splitn(2, ' ');
    let identities: Vec<Value> = user
        .identities
        .iter()
        .map(|identity| {
            json!({
                "signInType": identity.sign_in_type,
                "issuer": identity.issuer,
                "issuerAssignedId": identity.issuer_assigned_id,
            })
        })
        .collect();
    object(json!({
        "businessPhones": [],
        "displayName": user.display_name,
        "givenName": names.next().filter(|name| !name.is_empty()),
        "jobTitle": null,
        "mail": user.mail,
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": user.preferred_language,
        "surname": names.next(),
        "userPrincipalName": user.upn,
        "id": user.id,
        "accountEnabled": user.enabled,
        "creationType": user.creation_type,
        "deletedDateTime": null,
        "employeeId": user.employee_id,
        "externalUserState": user.external_user_state,
        "identities": identities,
        "isManagementRestricted": null,
        "onPremisesSyncEnabled": null,
        "otherMails": [],
        "postalCode": null,
        "proxyAddresses": [],
        "usageLocation": null,
        "userType": user.user_type,
    }))
}

/// A contact; it has no account, so it lacks an account's members.
pub(super) fn contact(contact: &ModelContact) -> Map<String, Value> {
    object(json!({
        "@odata.type": "#microsoft.graph.orgContact",
        "id": contact.id,
        "displayName": contact.display_name,
        "mail": contact.mail,
    }))
}

/// A group as memberships list it; without the permission to read groups only its id shows.
pub(super) fn group(directory: &Directory, id: Uuid, readable: bool) -> Value {
    let group = directory.groups.get(&id);
    let name = group.map(|group| group.display_name.as_str()).filter(|name| !name.is_empty()).unwrap_or("Group");
    let assignable = group.is_some_and(|group| !group.roles.is_empty());
    let shown = |value: Value| if readable { value } else { Value::Null };
    json!({
        "@odata.type": "#microsoft.graph.group",
        "id": id,
        "displayName": shown(json!(name)),
        "mailEnabled": shown(json!(false)),
        "mailNickname": shown(json!(id.simple().to_string())),
        "securityEnabled": shown(json!(true)),
        "isAssignableToRole": shown(json!(assignable)),
    })
}

/// A directory role of a template. The role's own id differs from its template's.
pub(super) fn role(template: &str, with_type: bool) -> Value {
    let name = ROLES.iter().find(|(id, _)| *id == template).map_or("Directory Role", |(_, name)| *name);
    let own = Uuid::parse_str(template).map_or_else(|_| Uuid::nil(), |id| Uuid::from_u128(id.as_u128() ^ 0xA11));
    let mut role = json!({
        "id": own,
        "deletedDateTime": null,
        "description": format!("{name} of the model tenant."),
        "displayName": name,
        "roleTemplateId": template,
    });
    if let Some(members) = role.as_object_mut().filter(|_| with_type) {
        members.insert("@odata.type".into(), json!("#microsoft.graph.directoryRole"));
    }
    role
}

/// Direct assignments of roles to a principal: an account or a group.
pub(super) fn assignments(directory: &Directory, principal: Uuid) -> Vec<Value> {
    let roles = match (directory.users.get(&principal), directory.groups.get(&principal)) {
        (Some(user), _) => user.roles.as_slice(),
        (None, Some(group)) => group.roles.as_slice(),
        (None, None) => &[],
    };
    let assignment = |role: &String| {
        json!({
            "id": format!("{}-{}-1", principal.simple(), role),
            "principalId": principal,
            "resourceScope": "/",
            "directoryScopeId": "/",
            "roleDefinitionId": role,
        })
    };
    roles.iter().map(assignment).collect()
}

/// A domain in the organisation's list.
pub(super) fn verified_domain(domain: &ModelDomain) -> Value {
    json!({
        "capabilities": capabilities(domain).join(", "),
        "isDefault": domain.default,
        "isInitial": domain.initial,
        "name": domain.name,
        "type": if domain.federated { "Federated" } else { "Managed" },
    })
}

/// A domain of `GET /domains`.
pub(super) fn domain(domain: &ModelDomain) -> Value {
    json!({
        "id": domain.name,
        "authenticationType": if domain.federated { "Federated" } else { "Managed" },
        "availabilityStatus": null,
        "isAdminManaged": true,
        "isDefault": domain.default,
        "isInitial": domain.initial,
        "isRoot": true,
        "isVerified": domain.verified,
        "supportedServices": capabilities(domain),
        "passwordValidityPeriodInDays": null,
        "passwordNotificationWindowInDays": null,
        "state": null,
        "model": null,
    })
}

fn capabilities(domain: &ModelDomain) -> Vec<&'static str> {
    if domain.email { vec!["Email", "OfficeCommunicationsOnline"] } else { vec!["OfficeCommunicationsOnline"] }
}

/// The organisation as its documented example has it.
pub(super) fn organization(directory: &Directory) -> Map<String, Value> {
    let domains: Vec<Value> = directory.domains.iter().filter(|domain| domain.verified).map(verified_domain).collect();
    object(json!({
        "id": directory.tenant_id,
        "deletedDateTime": null,
        "businessPhones": ["425-555-0100"],
        "city": null,
        "country": null,
        "countryLetterCode": "NL",
        "createdDateTime": "2021-08-02T10:30:06Z",
        "defaultUsageLocation": "NL",
        "displayName": directory.organization,
        "isMultipleDataLocationsForServicesEnabled": null,
        "marketingNotificationEmails": [],
        "onPremisesLastSyncDateTime": null,
        "onPremisesSyncEnabled": null,
        "partnerTenantType": null,
        "postalCode": null,
        "preferredLanguage": "en",
        "securityComplianceNotificationMails": [],
        "securityComplianceNotificationPhones": [],
        "state": null,
        "street": null,
        "technicalNotificationMails": ["admin@contoso.example"],
        "tenantType": "AAD",
        "directorySizeQuota": { "used": 698, "total": 50000 },
        "assignedPlans": [],
        "privacyProfile": { "contactEmail": "", "statementUrl": "" },
        "provisionedPlans": [],
        "verifiedDomains": domains,
    }))
}

/// A policy of Conditional Access; its id follows from its name.
pub(super) fn access(policy: &ModelAccess) -> Value {
    let id = policy.name.bytes().fold(0xC0_DE, |id: u128, byte| id.rotate_left(7) ^ u128::from(byte));
    let controls = json!({
        "operator": "OR",
        "builtInControls": policy.controls,
        "customAuthenticationFactors": [],
        "termsOfUse": [],
        "authenticationStrength": null,
    });
    json!({
        "id": Uuid::from_u128(id),
        "displayName": policy.name,
        "createdDateTime": "2026-01-05T08:00:00Z",
        "modifiedDateTime": null,
        "state": policy.state,
        "sessionControls": null,
        "conditions": {
            "signInRiskLevels": [],
            "clientAppTypes": ["all"],
            "platforms": null,
            "locations": null,
            "applications": {
                "includeApplications": if policy.actions.is_empty() { vec!["All"] } else { Vec::new() },
                "excludeApplications": [],
                "includeUserActions": policy.actions,
            },
            "users": {
                "includeUsers": policy.users,
                "excludeUsers": [],
                "includeGroups": [],
                "excludeGroups": [],
                "includeRoles": [],
                "excludeRoles": [],
            },
        },
        "grantControls": if policy.controls.is_empty() { Value::Null } else { controls },
    })
}

/// The pass policy.
pub(super) fn policy(directory: &Directory) -> Value {
    let policy = &directory.policy;
    let target = |target: &ModelTarget| match target {
        ModelTarget::Everyone => ("group", "all_users".to_owned()),
        ModelTarget::Group(id) => ("group", id.to_string()),
        ModelTarget::User(id) => ("user", id.to_string()),
    };
    let include: Vec<Value> = policy
        .include
        .iter()
        .map(target)
        .map(|(kind, id)| json!({ "targetType": kind, "id": id, "isRegistrationRequired": false }))
        .collect();
    let exclude: Vec<Value> =
        policy.exclude.iter().map(target).map(|(kind, id)| json!({ "targetType": kind, "id": id })).collect();
    json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#authenticationMethodConfigurations/$entity",
        "@odata.type": "#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration",
        "id": "TemporaryAccessPass",
        "state": if policy.enabled { "enabled" } else { "disabled" },
        "defaultLifetimeInMinutes": policy.default_min,
        "defaultLength": policy.length,
        "minimumLifetimeInMinutes": policy.shortest_min,
        "maximumLifetimeInMinutes": policy.longest_min,
        "isUsableOnce": policy.one_time,
        "includeTargets@odata.context": "https://graph.microsoft.com/v1.0/$metadata#policies/authenticationMethodsPolicy/authenticationMethodConfigurations('TemporaryAccessPass')/microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration/includeTargets",
        "includeTargets": include,
        "excludeTargets": exclude,
    })
}
