//! What is refused, with which words and at which line; what has no effect yet is said.

use firstpass::config::keys::KEYS;
use firstpass::config::{Credential, Settings, text};

use firstpass::config::FeedKind;

use super::{Folder, LEAST, load, problems};

#[test]
fn what_is_for_the_whole_service_is_refused_for_one_tenant() {
    let text = LEAST.replace("[[feed]]", "[tenant.mail]\nper_minute = 5\n\n[[feed]]");
    let refused = load(&text, &[]).unwrap_err();
    assert!(refused.contains("mail.per_minute is for the whole service"), "{refused}");
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    let text = format!(
        "[schedule]\npol = \"0 * * * * *\"\nlifetime = \"8h\"\n[smtp]\nhost = \"x\"\n[gaurd]\n{}\n[mail.smpt]\nport = 1\n",
        LEAST.replace("folder", "client_secret = \"very secret\"\nfoldr = 1\nfolder")
    );
    insta::assert_snapshot!(problems(
        &text,
        &[("FIRSTPASS_SCHEDULE__SENDAT", "07:00"), ("FIRSTPASS_TENANT__FABRIKAM__NAME", "x")]
    ));
}

#[test]
fn every_kind_of_wrong_value_says_what_is_wanted() {
    let text = r#"
[state]
url = "postgres://localhost/x"
[schedule]
poll = "*/5 * * * *"
send_at = "24:00"
start_at = 7
zone = "EST"
late_until = 8
ready_check = "soon"
tries = 0
stop_within = "0s"
[pass]
lifetime = "9m"
shortest = "90s"
one_time = "yes"
[[tenant]]
name = "con toso"
tenant_id = "contoso.onmicrosoft.com"
client_id = 5
client_secret_file = "Abc8Q~invented.invented-invented"
cloud = "germany"
login_url = "http://localhost:8443"
graph_url = "https://graph.example/v1.0"
[[tenant]]
name = "china"
tenant_id = "11111111-2222-3333-4444-555555555555"
client_id = "66666666-7777-8888-9999-000000000000"
client_secret_file = ""
cloud = "china"
managed_identity = true
[tenant.schedule]
poll = "0 0 * * * *"
[[feed]]
name = "hr"
tenant = "chna"
kind = "sql"
folder = ""
max_changes_share = 1.5
max_new = "many"
columns = { emploee_id = "WorkerID", start_date = "" }
zones = { "Berlin" = "CET" }
encoding = "windows-1225"
date_format = "%d.%m.%y"
[guard]
registered_methods = "ignore"
ignore_methods = "phone"
group = "77777777-2222-3333-4444-555555555555"
privileged = "allow"
[channel]
require = "confirmed"
domains = ["@contoso.example"]
cooling_off = "72h"
fallback = ["security@contoso.example"]
[mail]
from = "Onboarding"
via = "pigeon"
per_minute = 0
help = "two\nlines"
announce = "24h"
[mail.smtp]
host = "smtp.contoso.example"
port = 70000
tls = "none"
auth = "xoauth2"
"#;
    let found = problems(text, &[("FIRSTPASS_NOTIFY__TO", "nobody"), ("FIRSTPASS_SERVE", "x")]);
    assert!(!found.contains("invented"), "a pasted secret is never repeated");
    insta::assert_snapshot!(found);
}

#[test]
fn what_must_fit_together() {
    let text = LEAST
        .replace("[[feed]]", "enabled = false\n[[tenant]]\nname = \"Contoso\"\ntenant_id = \"11111111-2222-3333-4444-555555555555\"\nclient_id = \"66666666-7777-8888-9999-000000000000\"\nclient_secret_file = \"x\"\nenabled = false\n[tenant.pass]\nlifetime = \"20m\"\n[[feed]]\nname = \"hr\"\ntenant = \"contoso\"\nfolder = \"/var/lib//firstpass/drop/\"\n\n[[feed]]\nname = \"more\"\ntenant = \"contoso\"\nfolder = \"/var/lib/firstpass/drop/done/x\"\n[[feed]]")
        .replace("username = \"onboarding@contoso.example\"", "tls = \"none\"");
    insta::assert_snapshot!(problems(&text, &[]));
}

#[test]
fn what_is_missing_is_named_with_an_example() {
    insta::assert_snapshot!(problems("[[tenant]]\n\n[[feed]]\nname = \"hr\"\n", &[]));
    insta::assert_snapshot!(problems("", &[]));
    insta::assert_snapshot!(problems("[tenant]\nname = \"contoso\"\n", &[]));
}

#[test]
fn a_file_that_is_no_toml_shows_its_line_and_nothing_of_it() {
    let found = problems("[state]\nurl = \"sqlite:x\"\npassword = hunter2\n", &[]);
    assert!(!found.contains("hunter2"), "{found}");
    insta::assert_snapshot!(found);
    let folder = Folder::with("");
    let missing = Settings::load(&folder.0.path().join("none.toml"), std::iter::empty()).unwrap_err().to_string();
    insta::assert_snapshot!(missing.replace(&folder.0.path().display().to_string(), "DIR"));
}

#[test]
fn what_has_no_effect_yet_is_said() {
    let text = format!("[state]\nretain_days = 30\n[notify]\nto = [\"it@contoso.example\"]\n{LEAST}");
    let settings = load(&text, &[("FIRSTPASS_SERVE__LISTEN", "")]).unwrap();
    assert_eq!(settings.without_effect, ["state.retain_days"]);
}

#[test]
fn plain_text_is_for_loopback_only() {
    for (host, good) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("127.8.0.1", true),
        ("::1", true),
        ("10.0.0.1", false),
        ("localhost.example", false),
    ] {
        let text = LEAST.replace("host = \"smtp.contoso.example\"", &format!("host = {host:?}\ntls = \"none\""));
        assert_eq!(load(&text, &[]).is_ok(), good, "{host}");
    }
}

/// Whatever stands where a value should: it is taken, or refused at its own line, and never a panic.
#[test]
fn odd_values_are_refused_at_their_line() {
    const ODD: [&str; 5] = ["true", "-1", "\"\"", "[1, { x = nan }]", "\"\\u0000\\u202e\""];
    let example = text::init();
    let lines: Vec<&str> = example.lines().collect();
    for key in KEYS {
        let (table, leaf) = key.path.rsplit_once('.').unwrap();
        let header = lines
            .iter()
            .position(|line| {
                [format!("[{table}]"), format!("[[{table}]]"), format!("# [[{table}]]")].contains(&(*line).to_owned())
            })
            .unwrap();
        let begins = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{leaf} = "));
        let at = header + lines[header..].iter().position(begins).unwrap();
        for odd in ODD {
            let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            changed[at] = format!("{leaf} = {odd}");
            changed[header] = lines[header].trim_start_matches("# ").to_owned();
            if table == "notify.webhook" && !leaf.starts_with("url") {
                // It needs one, wherever it is told.
                let url = header + lines[header..].iter().position(|line| line.starts_with("# url_file = ")).unwrap();
                changed[url] = lines[url].trim_start_matches("# ").to_owned();
            }
            if let Err(problem) = load(&changed.join("\n"), &[]) {
                let place = format!("firstpass.toml:{}: ", at + 1);
                // Some are refused at the line of another key that no longer fits.
                let told =
                    |line: &str| line.starts_with(&place) || line.contains(key.path) || key.path == "tenant.name";
                assert!(problem.lines().any(told), "{leaf} = {odd}: {problem}");
            }
        }
    }
}

/// A setting whose function is not there yet is never silently ignored.
#[test]
fn every_guard_that_is_not_served_yet_is_refused() {
    for (table, line) in [
        ("guard", "group = \"11111111-2222-3333-4444-555555555555\""),
        ("guard", "recovery = true"),
        ("channel", "require = \"confirmed\""),
        ("channel", "cooling_off = \"24h\""),
        ("channel", "fallback = [\"desk@contoso.example\"]"),
    ] {
        let told = problems(&format!("{LEAST}\n[{table}]\n{line}\n"), &[]);
        assert!(told.contains("not served by this version"), "{line}: {told}");
    }
}

#[test]
fn what_a_query_needs_and_what_makes_no_sense_with_it() {
    let folder = LEAST.lines().find(|line| line.starts_with("folder =")).unwrap();
    let with = |lines: &str| load(&LEAST.replace(folder, lines), &[]);
    let told: Vec<String> = [
        "kind = \"sql\"",
        "kind = \"sql\"\nurl_file = \"hr-url\"",
        "kind = \"sql\"\nurl_file = \"hr-url\"\nquery = \" ; \"",
        "kind = \"sql\"\nurl_file = \"hr-url\"\nquery = \"SELECT 1\"\nwatermark = \"updated_at\"",
        "kind = \"sql\"\nurl_file = \"hr-url\"\nquery = \"SELECT ?\"\nwatermark = \"updated_at\"\ncomplete = true",
        "query = \"SELECT 1\"\nfolder = \"drop\"",
        "kind = \"csv\"",
    ]
    .iter()
    .map(|lines| with(lines).unwrap_err())
    .collect();
    insta::assert_snapshot!(told.join("\n"));
    let taken = with("kind = \"sql\"\nurl_file = \"hr-url\"\nquery = \"\"\"\nSELECT *\n  FROM e;\n\"\"\"").unwrap();
    let feed = &taken.feeds[0];
    let FeedKind::Sql(sql) = &feed.kind else { panic!("no query") };
    assert_eq!((sql.query.as_str(), sql.own_folder), ("SELECT *\n  FROM e", true));
    assert!(feed.folder.ends_with("feeds/hr"), "{}", feed.folder.display());
}

#[test]
fn a_tenant_has_exactly_one_credential() {
    let with = |lines: &str| LEAST.replace("certificate_file = \"graph-key.pem\"", lines);
    let refused: Vec<String> = [
        "",
        "certificate_file = \"a.pem\"\nclient_secret_file = \"b\"",
        "certificate_file = \"a.pem\"\nmanaged_identity = true\nfederated_token_file = \"c\"",
        "managed_identity = false",
    ]
    .iter()
    .map(|lines| problems(&with(lines), &[]))
    .chain([
        problems(LEAST, &[("FIRSTPASS_TENANT__CONTOSO__CLIENT_SECRET_FILE", "other")]),
        problems(&with("federated_token_file = \"c\"").replace("client_id", "# client_id"), &[]),
    ])
    .collect();
    insta::assert_snapshot!(refused.join("\n"));

    let one = |text: &str| load(text, &[]).unwrap().tenants.remove(0).credential;
    assert!(matches!(one(LEAST), Credential::Certificate { .. }));
    assert!(matches!(one(&with("client_secret_file = \"b\"")), Credential::Secret { .. }));
    assert!(matches!(one(&with("federated_token_file = \"c\"")), Credential::FederatedToken { .. }));
    let machine = with("managed_identity = true");
    assert!(matches!(one(&machine), Credential::ManagedIdentity { client_id: Some(_) }), "a user-assigned one");
    let machine = machine.replace("client_id", "# client_id");
    assert!(matches!(one(&machine), Credential::ManagedIdentity { client_id: None }), "the system-assigned one");
}

#[test]
fn f105_each_cloud_has_its_own_addresses() {
    for (cloud, login, graph, outlook) in [
        ("global", "login.microsoftonline.com", "graph.microsoft.com", "outlook.office365.com"),
        ("usgov", "login.microsoftonline.us", "graph.microsoft.us", "outlook.office365.us"),
        ("usgov-dod", "login.microsoftonline.us", "dod-graph.microsoft.us", "outlook-dod.office365.us"),
    ] {
        let text = LEAST.replace("[[feed]]", &format!("cloud = \"{cloud}\"\n[[feed]]"));
        let tenant = load(&text, &[]).unwrap().tenants.remove(0);
        assert_eq!(tenant.login_url.as_str(), format!("https://{login}/"));
        assert_eq!(tenant.graph_url.as_str(), format!("https://{graph}/"));
        assert_eq!(tenant.cloud.outlook(), format!("https://{outlook}"));
    }
    let china = LEAST.replace("[[feed]]", "cloud = \"china\"\n[[feed]]");
    assert!(problems(&china, &[]).contains("Microsoft Graph in China has no Temporary Access Passes"));
}
