//! Settings: what is read from where, what is refused with which words (contract 3).

use std::path::PathBuf;

use firstpass::config::{Mail, Settings, Smtp, Via};

mod defaults;
mod mail;
mod sources;
mod refusals;
mod secrets;

/// A folder with one settings file.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("firstpass.toml"), text).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("firstpass.toml")
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Settings, String> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let folder = format!("{}/", self.0.path().display());
        Settings::load(&self.path(), env).map_err(|error| error.to_string().replace(&folder, ""))
    }
}

fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
    Folder::with(text).load(env)
}

fn problems(text: &str, env: &[(&str, &str)]) -> String {
    load(text, env).unwrap_err()
}

/// The mail server of settings that have one.
fn server(mail: &Mail) -> &Smtp {
    match &mail.via {
        Via::Smtp(server) => server,
        Via::Graph { tenant } => panic!("Graph mail of {tenant}"),
    }
}

/// Nothing but what must be set.
const LEAST: &str = r#"
[[tenant]]
name = "contoso"
tenant_id = "11111111-2222-3333-4444-555555555555"
client_id = "66666666-7777-8888-9999-000000000000"
certificate_file = "graph-key.pem"

[[feed]]
name = "hr"
tenant = "contoso"
folder = "/var/lib/firstpass/drop"

[mail]
from = "Onboarding <onboarding@contoso.example>"
[mail.smtp]
host = "smtp.contoso.example"
username = "onboarding@contoso.example"
password_file = "smtp-password"
"#;
