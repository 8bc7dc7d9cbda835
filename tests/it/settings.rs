//! Settings: what is read from where, what is refused with which words (contract 3).

use std::path::PathBuf;
use std::time::Duration;

use firstpass::config::keys::{KEYS, Value};
use firstpass::config::{Cloud, Settings, Tls, text};

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

/// Nothing but what must be set.
const LEAST: &str = r#"
[[tenant]]
name = "contoso"
tenant_id = "11111111-2222-3333-4444-555555555555"
client_id = "66666666-7777-8888-9999-000000000000"
client_secret_file = "graph-secret"

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

#[test]
fn config_init_is_snapped() {
    insta::assert_snapshot!(text::init());
}

#[test]
fn config_init_parses_to_the_defaults() {
    let least = load(LEAST, &[]).unwrap();
    let example = load(&text::init(), &[]).unwrap();
    let values = |settings: &Settings| -> Vec<(String, String)> {
        settings.shown.iter().map(|shown| (shown.key.clone(), shown.value.clone())).collect()
    };
    assert_eq!(values(&example), values(&least));
    assert_eq!(example.warnings, Vec::<String>::new());
}

#[test]
fn every_default_is_what_its_kind_says() {
    // Loading the example has checked each default; the rest is that the table holds together.
    let settings = load(LEAST, &[]).unwrap();
    for key in KEYS {
        let named = key.path.replacen("tenant.", "tenant.contoso.", 1).replacen("feed.", "feed.hr.", 1);
        let shown = settings.shown.iter().find(|shown| shown.key == named || shown.key == key.path);
        assert_eq!(
            shown.is_some(),
            matches!(key.value, Value::Default(_) | Value::Needed(_) | Value::Usual(_)),
            "{named}"
        );
        assert!(key.meaning.is_ascii() || key.meaning.contains('…'), "{}", key.path);
    }
    let mut paths: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), KEYS.len(), "a key stands twice");
}

#[test]
fn defaults_are_those_of_the_contract() {
    let folder = Folder::with(LEAST);
    let settings = folder.load(&[]).unwrap();
    let [tenant] = settings.tenants.as_slice() else { panic!("one tenant") };
    assert_eq!(settings.state.url, "sqlite:/var/lib/firstpass/state.db");
    assert_eq!(settings.schedule.poll, "0 * * * * *");
    assert_eq!(settings.schedule.stop_within, Duration::from_secs(25));
    assert_eq!(settings.schedule.zone, None);
    assert_eq!(tenant.rules.schedule.late_until, Duration::from_hours(8));
    assert_eq!(tenant.rules.pass.lifetime, Duration::from_hours(8));
    assert!(tenant.rules.pass.one_time && tenant.enabled);
    assert_eq!((tenant.cloud, tenant.login_url.as_str()), (Cloud::Global, "https://login.microsoftonline.com/"));
    let [feed] = settings.feeds.as_slice() else { panic!("one feed") };
    assert_eq!((feed.max_new, feed.max_changes, feed.settle), (1000, 200, Duration::from_secs(10)));
    assert_eq!((settings.mail.per_minute, settings.mail.smtp.port, settings.mail.smtp.tls), (30, 587, Tls::Starttls));
    assert_eq!(settings.mail.from.name, "Onboarding");
    assert_eq!(settings.without_effect, Vec::<String>::new());
}

#[test]
fn variables_override_and_strings_arrive_as_written() {
    let settings = load(
        LEAST,
        &[
            ("FIRSTPASS_SCHEDULE__SEND_AT", "06:30"),
            ("FIRSTPASS_SCHEDULE__TRIES", "7"),
            ("FIRSTPASS_MAIL__HELP", "0123"),
            ("FIRSTPASS_MAIL__SMTP__USERNAME", "true"),
            ("FIRSTPASS_STATE__GROUP", "[x]"),
            ("FIRSTPASS_PASS__ONE_TIME", "false"),
            ("FIRSTPASS_CHANNEL__DOMAINS", "contoso.example, fabrikam.example"),
            ("FIRSTPASS_GUARD__IGNORE_METHODS", r#"["phone"]"#),
            ("FIRSTPASS_FEED__0__MAX_CHANGES_SHARE", "0.5"),
            ("FIRSTPASS_FEED__HR__COLUMNS__EMPLOYEE_ID", "007"),
            ("FIRSTPASS_FEED__HR__ZONES", r#"{ "Ulm" = "Europe/Berlin" }"#),
            ("FIRSTPASS_TENANT__CONTOSO__CLIENT_SECRET_FILE", "other-secret"),
            ("FIRSTPASS_TENANT__0__SCHEDULE__START_AT", "10:00"),
        ],
    )
    .unwrap();
    let tenant = &settings.tenants[0];
    assert_eq!(tenant.rules.schedule.send_at.to_string(), "06:30:00");
    assert_eq!(tenant.rules.schedule.start_at.to_string(), "10:00:00");
    assert_eq!(tenant.rules.schedule.tries, 7);
    assert_eq!(settings.mail.help.as_deref(), Some("0123"));
    assert_eq!(settings.mail.smtp.username, "true");
    assert_eq!(settings.state.group.as_deref(), Some("[x]"));
    assert!(!tenant.rules.pass.one_time);
    assert_eq!(tenant.rules.channel.domains, ["contoso.example", "fabrikam.example"]);
    assert_eq!(tenant.rules.guard.ignore_methods, ["phone"]);
    assert!((settings.feeds[0].max_changes_share - 0.5).abs() < f64::EPSILON);
    assert_eq!(settings.feeds[0].columns["employee_id"], "007");
    assert_eq!(settings.feeds[0].zones["Ulm"].as_str(), "Europe/Berlin");
    let shown = settings.shown.iter().find(|shown| shown.key == "tenant.contoso.client_secret_file").unwrap();
    assert_eq!(
        (shown.value.as_str(), shown.source.as_str()),
        ("\"other-secret\"", "FIRSTPASS_TENANT__CONTOSO__CLIENT_SECRET_FILE")
    );
}

#[test]
fn a_tenant_can_stand_in_the_environment_alone() {
    let without_tenant = LEAST.split_once("[[feed]]").unwrap().1;
    let settings = load(
        &format!("[[feed]]{without_tenant}"),
        &[
            ("FIRSTPASS_TENANT__0__NAME", "contoso"),
            ("FIRSTPASS_TENANT__0__TENANT_ID", "11111111-2222-3333-4444-555555555555"),
            ("FIRSTPASS_TENANT__0__CLIENT_ID", "66666666-7777-8888-9999-000000000000"),
            ("FIRSTPASS_TENANT__0__CLIENT_SECRET_FILE", "graph-secret"),
        ],
    )
    .unwrap();
    assert_eq!(settings.tenants[0].name, "contoso");
}

#[test]
fn other_variables_are_ignored_with_a_warning() {
    let settings = load(
        LEAST,
        &[
            ("FIRSTPASS_PORT", "tcp://10.0.0.1:9464"),
            ("FIRSTPASS_SERVICE_HOST", "10.0.0.1"),
            ("FIRSTPASS_CONFIG", "x"),
            ("FIRSTPASS_LOG", "debug"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    insta::assert_snapshot!(settings.warnings.join("\n"), @r"
    FIRSTPASS_PORT is ignored: settings in the environment are written FIRSTPASS_SECTION__KEY
    FIRSTPASS_SERVICE_HOST is ignored: settings in the environment are written FIRSTPASS_SECTION__KEY
    ");
}

#[test]
fn a_tenants_own_tables_override_the_global_ones() {
    let text = format!(
        "[pass]\nlifetime = \"4h\"\n{}\n[schedule]\nsend_at = \"06:00\"\nzone = \"Europe/Berlin\"\n",
        LEAST.replace(
            "[[feed]]",
            r#"
[tenant.schedule]
send_at = "05:00"
[tenant.guard]
registered_methods = "allow"
[tenant.mail.smtp]
host = "smtp.other.example"

[[tenant]]
name = "fabrikam"
tenant_id = "22222222-2222-3333-4444-555555555555"
client_id = "66666666-7777-8888-9999-000000000000"
client_secret_file = "fabrikam-secret"
cloud = "usgov-dod"
pass = { lifetime = "1h" }
schedule = { zone = "Asia/Kolkata" }

[[feed]]"#
        )
    );
    let settings = load(&text, &[]).unwrap();
    let (contoso, fabrikam) = (settings.tenant("contoso").unwrap(), settings.tenant("fabrikam").unwrap());
    assert_eq!(contoso.rules.schedule.send_at.to_string(), "05:00:00");
    assert_eq!(fabrikam.rules.schedule.send_at.to_string(), "06:00:00");
    assert_eq!(contoso.rules.pass.lifetime, Duration::from_hours(4));
    assert_eq!(fabrikam.rules.pass.lifetime, Duration::from_hours(1));
    assert_eq!(contoso.rules.zone.as_ref().unwrap().as_str(), "Europe/Berlin");
    assert_eq!(fabrikam.rules.zone.as_ref().unwrap().as_str(), "Asia/Kolkata");
    assert_ne!(contoso.rules.guard, fabrikam.rules.guard);
    assert_eq!(contoso.mail.smtp.host, "smtp.other.example");
    assert_eq!(fabrikam.mail.smtp.host, "smtp.contoso.example");
    assert_eq!(fabrikam.client_secret_file.key(), "tenant.fabrikam.client_secret_file");
    assert_eq!(contoso.mail.smtp.password_file.as_ref().unwrap().key(), "mail.smtp.password_file");
    assert_eq!(fabrikam.graph_url.as_str(), "https://dod-graph.microsoft.us/");
}

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
encoding = "windows-1252"
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
via = "graph"
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
    assert_eq!(settings.without_effect, ["notify.to", "serve.listen", "state.retain_days"]);
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

#[test]
fn relative_paths_are_meant_from_the_settings() {
    let folder = Folder::with(&LEAST.replace("/var/lib/firstpass/drop", "drop").replacen(
        '\n',
        "\n[state]\nurl = \"sqlite:state.db\"\n",
        1,
    ));
    let settings = folder.load(&[]).unwrap();
    assert_eq!(settings.feeds[0].folder, folder.0.path().join("drop"));
    assert_eq!(settings.state.url, format!("sqlite:{}", folder.0.path().join("state.db").display()));
}

/// Each line that the example only shows is right as it stands, or says that it is not served.
#[test]
fn every_line_of_the_example_can_be_taken() {
    let example = text::init();
    let lines: Vec<&str> = example.lines().collect();
    let shown = |line: &&&str| {
        line.strip_prefix("# ")
            .is_some_and(|rest| rest.split(' ').nth(1) == Some("=") && rest.contains(['"', '[', 'f']))
    };
    let mut n_shown = 0;
    for line in lines.iter().filter(shown).filter(|line| !line.contains("FIRSTPASS_")) {
        let taken: Vec<&str> = lines.iter().map(|other| if other == line { &line[2..] } else { other }).collect();
        match load(&taken.join("\n"), &[]) {
            Ok(_) => {}
            Err(problem) => assert!(
                problem.contains("is not served by this version") && problem.lines().count() == 1,
                "{line}: {problem}"
            ),
        }
        n_shown += 1;
    }
    assert!(n_shown > 15, "{n_shown}");
}

/// Whatever stands where a value should: it is taken, or refused at its own line, and never a panic.
#[test]
fn odd_values_are_refused_at_their_line() {
    const ODD: [&str; 5] = ["true", "-1", "\"\"", "[1, { x = nan }]", "\"\\u0000\\u202e\""];
    let example = text::init();
    let lines: Vec<&str> = example.lines().collect();
    for key in KEYS {
        let (table, leaf) = key.path.rsplit_once('.').unwrap();
        let header =
            lines.iter().position(|line| *line == format!("[{table}]") || *line == format!("[[{table}]]")).unwrap();
        let begins = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{leaf} = "));
        let at = header + lines[header..].iter().position(begins).unwrap();
        for odd in ODD {
            let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            changed[at] = format!("{leaf} = {odd}");
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
    for (kept, replaced) in [("folder =", "kind = \"sql\"\nfolder ="), ("from =", "via = \"graph\"\nfrom =")] {
        let told = problems(&LEAST.replace(kept, replaced), &[]);
        assert!(told.contains("not served by this version"), "{replaced}: {told}");
    }
}

mod secrets {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::path::Path;

    use firstpass::config::SecretFile;
    use secrecy::ExposeSecret;

    fn put(path: &Path, text: &str, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(file: &SecretFile, folder: &Path) -> Result<String, String> {
        let secret = file.read().map_err(|error| error.to_string().replace(&folder.display().to_string(), "DIR"))?;
        assert!(!format!("{file:?} {secret:?}").contains(secret.expose_secret()), "printed");
        Ok(secret.expose_secret().to_owned())
    }

    #[test]
    fn a_file_of_our_own_is_taken_without_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        for (text, mode) in [("s3cret", 0o600), ("s3cret\n", 0o400), ("s3cret\r\n", 0o600), ("s3cret\n", 0o640)] {
            put(&folder.path().join("secret"), text, mode);
            let file = SecretFile::new("key", "secret", None, folder.path());
            assert_eq!(read(&file, folder.path()), Ok("s3cret".to_owned()));
        }
        put(&folder.path().join("spaces"), " two words \n", 0o600);
        let file = SecretFile::new("key", "./spaces", None, folder.path());
        assert_eq!(read(&file, folder.path()), Ok(" two words ".to_owned()));
    }

    #[test]
    fn f79_files_that_others_can_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let file = SecretFile::new("tenant.contoso.client_secret_file", "./secret", None, folder.path());
        let mut told = Vec::new();
        for mode in [0o644, 0o604, 0o602] {
            put(&path, "s3cret", mode);
            told.push(read(&file, folder.path()).unwrap_err());
        }
        insta::assert_snapshot!(told.join("\n"), @r"
        tenant.contoso.client_secret_file: DIR/secret is readable by everybody (mode 0644); run: chmod o-rwx DIR/secret
        tenant.contoso.client_secret_file: DIR/secret is readable by everybody (mode 0604); run: chmod o-rwx DIR/secret
        tenant.contoso.client_secret_file: DIR/secret is writable by everybody (mode 0602); run: chmod o-rwx DIR/secret
        ");
        put(&path, "s3cret", 0o640);
        if chown(&path, None, Some(54_321)).is_ok() {
            let text = read(&file, folder.path()).unwrap_err();
            assert!(text.contains("readable by a group that this process is not in (mode 0640)"), "{text}");
        } else {
            println!("skipped: only root can give a file to another group");
        }
    }

    #[test]
    fn mounted_files_are_taken_as_mounted() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials");
        put(&credentials.join("graph-secret"), "from systemd", 0o644);
        put(&folder.path().join("graph-secret"), "beside the settings", 0o600);
        let bare = SecretFile::new("key", "graph-secret", Some(&credentials), folder.path());
        assert_eq!(read(&bare, folder.path()), Ok("from systemd".to_owned()));
        let whole = credentials.join("graph-secret").display().to_string();
        let whole = SecretFile::new("key", &whole, Some(&credentials), folder.path());
        assert_eq!(read(&whole, folder.path()), Ok("from systemd".to_owned()));

        put(&folder.path().join("outside"), "s3cret", 0o644);
        let round_about = format!("{}/../outside", credentials.display());
        let round_about = SecretFile::new("key", &round_about, Some(&credentials), folder.path());
        assert!(read(&round_about, folder.path()).is_err(), "`..` leads out of the mounted folder");

        let projected = folder.path().join("projected");
        put(&projected.join("..2026_11_22/token"), "by kubernetes", 0o644);
        symlink("..2026_11_22", projected.join("..data")).unwrap();
        symlink("..data/token", projected.join("token")).unwrap();
        let token = SecretFile::new("key", "projected/token", None, folder.path());
        assert_eq!(read(&token, folder.path()), Ok("by kubernetes".to_owned()));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join("empty"), "\n\n", 0o600);
        put(&folder.path().join("large"), &"x".repeat(65 * 1024), 0o600);
        std::fs::write(folder.path().join("bytes"), [0xff, 0xfe, 0x00]).unwrap();
        std::fs::set_permissions(folder.path().join("bytes"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let told: Vec<String> = ["./empty", "./large", "./bytes", "./folder", "missing"]
            .iter()
            .map(|name| {
                read(&SecretFile::new("mail.smtp.password_file", name, None, folder.path()), folder.path()).unwrap_err()
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        mail.smtp.password_file: DIR/empty is empty; put the secret into it
        mail.smtp.password_file: DIR/large is larger than 64 KiB, so it is no secret
        mail.smtp.password_file: DIR/bytes is no UTF-8 text
        mail.smtp.password_file: DIR/folder is no regular file
        mail.smtp.password_file: there is no file /run/secrets/missing, nor DIR/missing
        ");
    }

    #[test]
    fn f34_a_fifo_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
            println!("skipped: there is no mkfifo");
            return;
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let told = read(&SecretFile::new("key", "./fifo", None, folder.path()), folder.path()).unwrap_err();
        assert_eq!(told, "key: DIR/fifo is no regular file");
    }
}
