//! The settings that point the real program at the model servers, and never at anything else.
//!
//! Paths are relative, so the folder can be moved; what is not written here has its usual value.

use std::fmt::Write as _;

use uuid::Uuid;

use super::table;

/// Beside the settings file: the app's client secret.
pub const CLIENT_SECRET_FILE: &str = "graph-secret";
/// Beside the settings file: the password of the mail account.
pub const MAIL_PASSWORD_FILE: &str = "smtp-password";
/// Beside the settings file: the certificate authority of both model servers.
pub const CA_FILE: &str = "ca.pem";
/// Who signs in at the model mail server.
pub const MAIL_USER: &str = "onboarding@contoso.example";

/// Where the model servers are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The model tenant's id.
    pub tenant_id: Uuid,
    /// The app's id there.
    pub client_id: String,
    /// `https://localhost:PORT`, for login and Graph.
    pub origin: String,
    /// The model mail server's port on localhost.
    pub mail_port: u16,
}

/// The text of `firstpass.toml`. `sites` are sites of the feed with their zones.
///
/// ```
/// use firstpass::sandbox::settings::{Places, text};
/// let places = Places {
///     tenant_id: uuid::Uuid::nil(),
///     client_id: "00001111-aaaa-2222-bbbb-3333cccc4444".into(),
///     origin: "https://localhost:8443".into(),
///     mail_port: 2525,
/// };
/// assert!(text(&places, &[("Berlin", "Europe/Berlin")]).contains(r#""Berlin" = "Europe/Berlin""#));
/// ```
pub fn text(places: &Places, sites: &[(&str, &str)]) -> String {
    let Places { tenant_id, client_id, origin, mail_port } = places;
    let mut zones = String::new();
    for (site, zone) in sites {
        // Writing to a String cannot fail.
        let _ = writeln!(zones, "{site:?} = {zone:?}");
    }
    format!(
        r#"# Written by `firstpass sandbox`. The model tenant and the model mail server ended with it, so
# `firstpass run` reaches nobody with these settings; every command that reads the state works.

[state]
url = "sqlite:state.db"

[schedule]
send_at = "07:00"
start_at = "09:00"

[[tenant]]
name = "contoso"
tenant_id = "{tenant_id}"
client_id = "{client_id}"
client_secret_file = "{CLIENT_SECRET_FILE}"
login_url = "{origin}"          # a real tenant has no login_url, graph_url and ca_file
graph_url = "{origin}"
ca_file = "{CA_FILE}"

[[feed]]
name = "hr"
tenant = "contoso"
kind = "csv"
folder = "drop"
settle = "0s"                                # in the sandbox a file is whole when it appears

[feed.zones]
{zones}
[mail]
from = "Onboarding <{MAIL_USER}>"
help = "Service desk, +49 30 5550 1234"

[mail.smtp]
host = "localhost"
port = {mail_port}
tls = "starttls"
auth = "password"
username = "{MAIL_USER}"
password_file = "{MAIL_PASSWORD_FILE}"
ca_file = "{CA_FILE}"
"#
    )
}

/// The same settings for a feed that is a table: see [`super::table`].
///
/// ```
/// use firstpass::sandbox::settings::of_a_table;
/// assert!(of_a_table("kind = \"csv\"\n").contains("kind = \"sql\""));
/// ```
pub fn of_a_table(text: &str) -> String {
    let query = format!("kind = \"sql\"\nurl_file = {:?}\nquery = {:?}\n", table::URL_FILE, table::QUERY);
    text.replace("kind = \"csv\"\n", &query)
}

/// The settings of `sandbox --serve`: complete, and meant to be edited.
///
/// ```
/// use firstpass::sandbox::settings::{Places, served};
/// let places = Places {
///     tenant_id: uuid::Uuid::nil(),
///     client_id: "00001111-aaaa-2222-bbbb-3333cccc4444".into(),
///     origin: "https://localhost:18443".into(),
///     mail_port: 18587,
/// };
/// assert!(served(&places, &[("Berlin", "Europe/Berlin")]).contains("graph_url = \"https://localhost:18443\""));
/// ```
pub fn served(places: &Places, sites: &[(&str, &str)]) -> String {
    let mut zones = String::new();
    for (site, zone) in sites {
        // Writing to a String cannot fail.
        let _ = writeln!(zones, "{site:?} = {zone:?}");
    }
    format!(
        r#"# Written once by `firstpass sandbox --serve`; edit it as you like, try your feed, letters and schedule.
# Everything here points to the model tenant and the model mail server on this machine.

[state]
url = "sqlite:state.db"

[schedule]
poll = "*/2 * * * * *"                       # often, for trying; every minute is usual
send_at = "07:00"                            # to see a morning soon: a few minutes from now, and starts of today
start_at = "09:00"

{tenant}
[[feed]]
name = "hr"
tenant = "contoso"
kind = "csv"
folder = "drop"
settle = "1s"                                # short, for trying; 10s is usual
# columns = {{ employee_id = "WorkerID" }}     # well-known headers need no entry

[feed.zones]                                 # your sites, cities or countries
{zones}
[mail]
from = "Onboarding <{MAIL_USER}>"
help = "Service desk, +49 30 5550 1234"

{smtp}"#,
        tenant = tenant_table(places, ""),
        smtp = smtp_table(places, ""),
    )
}

/// The two tables that point settings of one's own at the models. `folder` ends with a slash.
pub fn to_paste(places: &Places, folder: &str) -> String {
    format!("{}\n{}", tenant_table(places, folder), smtp_table(places, folder))
}

fn tenant_table(places: &Places, folder: &str) -> String {
    let Places { tenant_id, client_id, origin, .. } = places;
    let file = |name: &str| toml::Value::String(format!("{folder}{name}"));
    format!(
        r#"[[tenant]]
name = "contoso"
tenant_id = "{tenant_id}"
client_id = "{client_id}"
client_secret_file = {secret}
login_url = "{origin}"        # a real tenant has no login_url, graph_url and ca_file
graph_url = "{origin}"
ca_file = {ca}
"#,
        secret = file(CLIENT_SECRET_FILE),
        ca = file(CA_FILE),
    )
}

fn smtp_table(places: &Places, folder: &str) -> String {
    let file = |name: &str| toml::Value::String(format!("{folder}{name}"));
    format!(
        r#"[mail.smtp]
host = "localhost"
port = {port}
tls = "starttls"
auth = "password"
username = "{MAIL_USER}"
password_file = {password}
ca_file = {ca}
"#,
        port = places.mail_port,
        password = file(MAIL_PASSWORD_FILE),
        ca = file(CA_FILE),
    )
}
