//! Where a value comes from: the file, the environment, a tenant's own tables.

use std::time::Duration;

use super::{Folder, LEAST, load, problems, server};

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
            ("FIRSTPASS_TENANT__CONTOSO__CERTIFICATE_FILE", "other-secret"),
            ("FIRSTPASS_TENANT__0__SCHEDULE__START_AT", "10:00"),
        ],
    )
    .unwrap();
    let tenant = &settings.tenants[0];
    assert_eq!(tenant.rules.schedule.send_at.to_string(), "06:30:00");
    assert_eq!(tenant.rules.schedule.start_at.to_string(), "10:00:00");
    assert_eq!(tenant.rules.schedule.tries, 7);
    assert_eq!(settings.mail.help.as_deref(), Some("0123"));
    assert_eq!(server(&settings.mail).username, "true");
    assert_eq!(settings.state.group.as_deref(), Some("[x]"));
    assert!(!tenant.rules.pass.one_time);
    assert_eq!(tenant.rules.channel.domains, ["contoso.example", "fabrikam.example"]);
    assert_eq!(tenant.rules.guard.ignore_methods, ["phone"]);
    assert!((settings.feeds[0].max_changes_share - 0.5).abs() < f64::EPSILON);
    assert_eq!(settings.feeds[0].columns["employee_id"], "007");
    assert_eq!(settings.feeds[0].zones["Ulm"].as_str(), "Europe/Berlin");
    let shown = settings.shown.iter().find(|shown| shown.key == "tenant.contoso.certificate_file").unwrap();
    assert_eq!(
        (shown.value.as_str(), shown.source.as_str()),
        ("\"other-secret\"", "FIRSTPASS_TENANT__CONTOSO__CERTIFICATE_FILE")
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
fn what_variables_alone_say_is_told_of_the_variable() {
    let told = problems(
        LEAST,
        &[
            ("FIRSTPASS_FOO__BAR", "x"),
            ("FIRSTPASS_LOG__X", "1"),
            ("FIRSTPASS___X", "1"),
            ("FIRSTPASS_MAIL__", "1"),
            ("FIRSTPASS_FEED__1__FOLDER", "x"),
        ],
    );
    insta::assert_snapshot!(told);
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
    assert_eq!(server(&contoso.mail).host, "smtp.other.example");
    assert_eq!(server(&fabrikam.mail).host, "smtp.contoso.example");
    let file = fabrikam.credential.file().unwrap();
    assert_eq!(file.key(), "tenant.fabrikam.client_secret_file");
    assert_eq!(server(&contoso.mail).password_file.as_ref().unwrap().key(), "mail.smtp.password_file");
    assert_eq!(fabrikam.graph_url.as_str(), "https://dod-graph.microsoft.us/");
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
