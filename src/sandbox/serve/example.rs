//! The small file of a first start: every key with what it means, and the people of the sandbox.

use std::fmt::Write as _;

use crate::sandbox::cast;

const KEYS: &str = r#"# Who is in the model tenant of `firstpass sandbox --serve`, and what goes wrong there.
# It is read again whenever it changes; what is wrong with it is said with line and column, and the
# version of before goes on being used. All of this is invented and stays on this machine.

[tenant]
# organization = "Contoso (a model)"
# domains = ["contoso.example"]       # verified ones; without it, those of the users below
# permissions = ["User.Read.All"]     # what the app may do; without it, all that firstpass needs
# secret_expired = true               # the app's secret is over

[policy]                              # Temporary Access Pass
# enabled = true
# shortest = "1h"
# longest = "8h"
# usual = "1h"                        # when a pass is asked for without a lifetime
# length = 8                          # of a code
# one_time = false
# include = ["everyone"]              # everyone, names of groups, UPNs
# exclude = []

[graph]
# Each fault: what is asked, what happens instead, how often.
#   any token user manager methods roles groups policy domains access pass-list pass-get pass-create
#   pass-delete send-mail
#   429 503 … (a status) · lost · lost-answer (it is done, the answer is lost) · late 30s · html · empty · half · no-code
#   nothing (once) · 3 times · for 2m (from now) · always
faults = [
    # "pass-create lost-answer",
    # "any 429 for 2m",
]
# list_lag = "0s"                     # so late a list shows what was made or deleted
# clock_ahead = "0s"

[mail]
#   any connect login from to data end (the whole letter) · 421 451 535 550 … · lost · lost-answer · late 30s
faults = [
    # "login 535 for 5m",                      # always: no password and no token is right
    # "end lost-answer",
]
# refuse = ["carla.reyes@contoso.example"]   # nobody has this mailbox: 550
# send_as = []                               # mailboxes besides onboarding@ that the app may send as (via = "graph")

# A user. Only the UPN is needed.
#   employee_id    as HR writes it
#   display_name   the part of the UPN before @
#   mail           the UPN; "" is none
#   manager        UPN of a user, mail of a contact
#   enabled = true, guest = false, language = "de-DE", id = an object id
#   methods        "phone", "authenticator", "fido2", "hello", "software-oath", "platform-credential", "email"
#   roles          "Global Administrator", … or a template's id
#   groups         names; a group with roles or in other groups has an entry [[group]]: name, roles, groups
# A contact, who has no account but may be a manager: [[contact]] mail, display_name
"#;

/// The text with nobody in it.
pub fn without_people() -> String {
    KEYS.to_owned()
}

/// The text with the people of the sandbox: Grace has no manager, and Luis's is disabled.
///
/// ```
/// let text = firstpass::sandbox::serve::example::with_people();
/// let file = firstpass::sandbox::serve::TenantFile::parse(&text).unwrap();
/// assert_eq!(file.users.len(), 12);
/// ```
pub fn with_people() -> String {
    let mut text = KEYS.to_owned();
    for person in cast::everybody() {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[user]]\nupn = {:?}\nemployee_id = {:?}\ndisplay_name = {:?}\n",
            person.upn, person.employee_id, person.name
        );
        if let Some(manager) = person.manager {
            let _ = writeln!(text, "manager = {manager:?}");
        }
        if *person == cast::VICTOR {
            text.push_str("enabled = false\n");
        }
    }
    text
}
