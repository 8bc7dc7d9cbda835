//! Which application permissions do for which call (facts 1.8, 3.6).
//!
//! Least first; the broader ones are known only so that an app that has them is not told it lacks
//! something. `check` warns about what is more than needed.

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
