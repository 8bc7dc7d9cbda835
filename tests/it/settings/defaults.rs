//! What stands when nothing is set, and the example that `config init` prints.

use std::time::Duration;

use firstpass::config::keys::{KEYS, Value};
use firstpass::config::{Cloud, Settings, Tls, text};

use super::{Folder, LEAST, load, server};

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
    assert_eq!(
        (settings.mail.per_minute, server(&settings.mail).port, server(&settings.mail).tls),
        (30, 587, Tls::Starttls)
    );
    assert_eq!(settings.mail.from.name, "Onboarding");
    assert_eq!(settings.without_effect, Vec::<String>::new());
}

/// The line stands in the table with that header.
fn below(lines: &[&str], line: &str, header: &str) -> bool {
    let place = |wanted: &str| lines.iter().position(|line| *line == wanted).unwrap();
    let table = &lines[place(header) + 1..];
    table.iter().take_while(|line| !line.starts_with('[')).any(|other| *other == line)
}

/// Each line that the example only shows is right as it stands, or says that it is not served, or what
/// it stands for.
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
        // Webhooks are shown with their table.
        let with_table = |other: &str| other == "# [[notify.webhook]]" && below(&lines, line, other);
        let take = |other: &&&str| other == &line || with_table(other);
        let taken: Vec<&str> = lines.iter().map(|other| if take(&other) { &other[2..] } else { other }).collect();
        match load(&taken.join("\n"), &[]) {
            Ok(_) => {}
            Err(problem) => assert!(
                ["is not served by this version", "leave one of them", "this feed reads files", "needs url_file"]
                    .iter()
                    .any(|known| problem.contains(known))
                    && problem.lines().count() == 1,
                "{line}: {problem}"
            ),
        }
        n_shown += 1;
    }
    assert!(n_shown > 15, "{n_shown}");
}
