//! Which application permissions do for which call (facts 1.8, 3.6), and what an app holds too many of.
//!
//! Least first; the broader ones are known only so that an app that has them is not told it lacks
//! something. [`review`] is what `check` says about the `roles` of a token.

/// The least permission of a call, with those that include it.
const INCLUDED_IN: [(&str, &[&str]); 7] = [
    ("User.Read.All", &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]),
    ("UserAuthMethod-TAP.ReadWrite.All", &["UserAuthenticationMethod.ReadWrite.All"]),
    ("UserAuthenticationMethod.Read.All", &["UserAuthenticationMethod.ReadWrite.All"]),
    ("Policy.Read.AuthenticationMethod", &["Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod"]),
    (
        "RoleManagement.Read.Directory",
        &[
            "RoleManagement.Read.All",
            "RoleManagement.ReadWrite.Directory",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
    ),
    ("Organization.Read.All", &["Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]),
    (
        "GroupMember.Read.All",
        &[
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
    ),
];

/// What each is needed for, in words.
const WHAT_FOR: [(&str, &str); 7] = [
    ("User.Read.All", "to find accounts and their managers"),
    ("UserAuthMethod-TAP.ReadWrite.All", "to make and delete passes"),
    ("UserAuthenticationMethod.Read.All", "to see who has registered a method already"),
    ("Policy.Read.AuthenticationMethod", "to read the pass policy"),
    ("RoleManagement.Read.Directory", "to refuse people who hold a directory role"),
    ("Organization.Read.All", "to know the verified domains, where managers' addresses must lie"),
    (GROUPS, "to see who is in the groups that the pass policy names"),
];

/// Only where groups decide.
const GROUPS: &str = "GroupMember.Read.All";

/// Let `check` see policies of Conditional Access; nothing else asks for them.
const FOR_CHECK: [&str; 2] = ["Policy.Read.All", "Policy.Read.ConditionalAccess"];

/// Does the token do for a call that needs `needed`?
///
/// ```
/// use firstpass::rules::permission::suffices;
/// assert!(suffices(&["Directory.Read.All".to_owned()], "User.Read.All"));
/// assert!(!suffices(&["UserAuthMethod-TAP.Read.All".to_owned()], "UserAuthMethod-TAP.ReadWrite.All"));
/// ```
pub fn suffices(held: &[String], needed: &str) -> bool {
    let broader = INCLUDED_IN.iter().find(|(name, _)| *name == needed).map_or(&[][..], |(_, broader)| broader);
    held.iter().any(|role| role == needed || broader.contains(&role.as_str()))
}

/// What is to be said about the permissions that an app holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Review<'a> {
    /// Needed and not there: the permission, and what it is needed for.
    pub missing: Vec<(&'static str, &'static str)>,
    /// Reads more than is needed, with the least permissions that it includes.
    pub wide: Vec<(&'a str, Vec<&'static str>)>,
    /// Changes or sends what firstpass never does, or reads what it never asks: the permission, what
    /// its holder could do with it, and the least permissions that it stands in for.
    pub beyond: Vec<(&'a str, &'static str, Vec<&'static str>)>,
}

/// Holds the `roles` of a token against what is needed. `groups`: the pass policy or the settings name
/// a group.
///
/// ```
/// use firstpass::rules::permission::review;
/// let held: Vec<String> = ["User.Read.All", "Mail.Send", "Directory.Read.All"].map(str::to_owned).into();
/// let review = review(&held, false);
/// assert!(review.missing.iter().any(|(name, _)| *name == "UserAuthMethod-TAP.ReadWrite.All"));
/// assert_eq!(review.wide[0].0, "Directory.Read.All");
/// assert_eq!(review.beyond[0].0, "Mail.Send");
/// ```
pub fn review(held: &[String], groups: bool) -> Review<'_> {
    let needed = WHAT_FOR.iter().filter(|(name, _)| groups || *name != GROUPS);
    let missing = needed.filter(|(name, _)| !suffices(held, name)).copied().collect();
    let mut review = Review { missing, ..Review::default() };
    for role in held.iter().map(String::as_str) {
        if FOR_CHECK.contains(&role) || WHAT_FOR.iter().any(|(name, _)| *name == role) {
            continue;
        }
        let included: Vec<&'static str> =
            INCLUDED_IN.iter().filter(|(_, broader)| broader.contains(&role)).map(|(name, _)| *name).collect();
        let reads_the_directory = !included.is_empty() && !role.contains("Write");
        if reads_the_directory || role == "UserAuthMethod-TAP.Read.All" {
            review.wide.push((role, included));
        } else {
            review.beyond.push((role, danger(role), included));
        }
    }
    review
}

/// What somebody who has taken our credential could do with it (facts 1.8, 3.5).
fn danger(role: &str) -> &'static str {
    match role {
        "Mail.Send" => "it lets the app send as every mailbox of the tenant",
        "UserAuthenticationMethod.ReadWrite.All" => "it lets the app change every sign-in method of everybody",
        "Policy.ReadWrite.AuthenticationMethod" => "it lets the app change which sign-in methods the tenant allows",
        "RoleManagement.ReadWrite.Directory" => "it lets the app make anybody a Global Administrator",
        "AppRoleAssignment.ReadWrite.All" | "Application.ReadWrite.All" => {
            "it lets the app give itself every permission there is"
        }
        "User.ReadWrite.All" | "Directory.ReadWrite.All" => "it lets the app change accounts, their managers and mail",
        "GroupMember.ReadWrite.All" | "Group.ReadWrite.All" => "it lets the app change who is in which group",
        _ if role.contains("Write") || role.contains("Send") => "it lets the app change things that it never should",
        _ => "it lets the app read what it never asks for",
    }
}
