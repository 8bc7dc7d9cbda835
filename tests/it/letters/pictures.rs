//! The HTML letters in headless Chromium: on a phone and on a desk, light and dark, without a network.
//!
//! Pictures to look at are made by `tests/peers/browser/pictures DIR`.

use std::path::Path;
use std::process::Command;

use firstpass::rules::calendar::Zone;
use firstpass::rules::hire::MailAddress;
use firstpass::rules::letter::{INVENTED, Letters, PassLetter, Tongue};
use serde_json::Value;

fn browser() -> Option<&'static str> {
    let found = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    ["chromium", "chromium-browser", "google-chrome"].iter().find(found).copied()
}

/// Names as long as they come, and an address without a blank to break at.
fn letter(tongue: Tongue) -> String {
    let at = |text: &str| text.parse().unwrap();
    let facts = PassLetter {
        to: MailAddress::parse("mia@contoso.example").unwrap(),
        manager_name: "Maximiliane Freifrau von Hohenstein-Wittgenstein".to_owned(),
        hire_name: "Wolfeschlegelsteinhausenbergerdorff Oberregierungsrat Ada".to_owned(),
        user: "wolfeschlegelsteinhausenbergerdorff.oberregierungsrat@onboarding.contoso.example".to_owned(),
        start: at("2027-09-30T12:00:00Z"),
        zone: Zone::parse("America/Argentina/Buenos_Aires").unwrap(),
        valid_from: at("2027-09-30T12:00:00Z"),
        valid_until: at("2027-09-30T20:00:00Z"),
        usable_at_once: false,
        one_time: true,
        earlier: true,
        help: Some("Service Desk, +49 30 1234".to_owned()),
        language: tongue.code().to_owned(),
        message_id: "1-2@contoso.example".to_owned(),
    };
    Letters::built_in().rehearse(&facts).unwrap().html.to_string()
}

/// One page with a frame for each language and width, measured by itself.
fn measured(browser: &str, dir: &Path, dark: bool) -> Vec<Value> {
    let quoted = |html: String| html.replace('&', "&amp;").replace('"', "&quot;");
    let frames = Tongue::ALL
        .iter()
        .flat_map(|tongue| [360, 800].map(|width| (tongue, width)))
        .map(|(tongue, width)| {
            let (code, html) = (tongue.code(), quoted(letter(*tongue)));
            format!("<iframe title=\"{code}\" width=\"{width}\" height=\"900\" style=\"border: 0\" srcdoc=\"{html}\"></iframe>")
        })
        .collect::<Vec<_>>()
        .join("\n");
    let page = dir.join("page.html");
    std::fs::write(&page, include_str!("../../peers/browser/measure.html").replace("FRAMES", &frames)).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=900,2000", "--dump-dom"])
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, json) = text.split_once("<pre id=\"measured\">").unwrap_or_else(|| panic!("nothing was measured: {text}"));
    serde_json::from_str(json.split("</pre>").next().unwrap()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn the_letter_reads_well_on_a_phone_in_light_and_dark() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium here (Debian: chromium)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    for dark in [false, true] {
        let seen = measured(browser, dir.path(), dark);
        assert_eq!(seen.len(), 4);
        for letter in seen {
            assert_eq!(letter["dark"], dark, "{letter}");
            assert!(letter["wide"].as_u64() <= letter["width"].as_u64(), "wider than the window: {letter}");
            assert_eq!(
                (&letter["code"], &letter["nodes"]),
                (&INVENTED.into(), &1.into()),
                "one piece of text: {letter}"
            );
            assert_eq!((&letter["lines"], &letter["select"]), (&1.into(), &"all".into()), "{letter}");
            assert!(letter["fixed"] == true && letter["size"].as_f64().unwrap() >= 20.0, "{letter}");
            assert!(letter["contrast"].as_f64().unwrap() >= 4.5, "WCAG 2 AA: {letter}");
            assert_eq!(letter["fetched"], 0, "nothing is fetched: {letter}");
        }
    }
}
