//! `mail preview` and the start: what an admin sees of letters before a manager does.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{HTML, TEXT};

const SETTINGS: &str = r#"
[[tenant]]
name = "contoso"
tenant_id = "11111111-2222-3333-4444-555555555555"
client_id = "66666666-7777-8888-9999-000000000000"
client_secret_file = "graph-secret"
[[feed]]
name = "hr"
tenant = "contoso"
folder = "drop"
[state]
url = "sqlite:state.db"
[mail]
from = "Onboarding <onboarding@contoso.example>"
templates = "letters"
help = "Service desk, +49 30 1234"
[mail.smtp]
host = "smtp.contoso.example"
auth = "none"
"#;

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("firstpass.toml"), SETTINGS).unwrap();
    std::fs::create_dir_all(dir.path().join("letters")).unwrap();
    std::fs::create_dir_all(dir.path().join("drop")).unwrap();
    let secret = dir.path().join("graph-secret");
    std::fs::write(&secret, "s3cret").unwrap();
    std::fs::set_permissions(secret, PermissionsExt::from_mode(0o600)).unwrap();
    dir
}

/// Status, standard output and standard error.
fn firstpass(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstpass"));
    command.args(args).current_dir(dir).env_clear().env("FIRSTPASS_CONFIG", dir.join("firstpass.toml"));
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_letter_is_written_with_an_invented_code() {
    let dir = folder();
    let (status, said, errors) =
        firstpass(dir.path(), &["mail", "preview", "--language", "de_DE", "--out", "p", "--templates"]);
    assert_eq!((status, errors.as_str()), (0, ""), "{said}");
    insta::assert_snapshot!(said);
    let out = dir.path().join("p");
    assert_eq!(names(&out).len(), 7 * 3 + 1);
    for name in names(&out).iter().filter(|name| name.as_str() != "templates") {
        let bytes = std::fs::read(out.join(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(name.contains("INVENTED-CODE"), name.starts_with("letter"), "{name}");
        if name.rsplit('.').next() == Some("eml") {
            assert!(text.starts_with("From: Onboarding <onboarding@contoso.example>\r\n"), "{name}");
        } else {
            assert_eq!(text.contains("INVENTED-CODE"), name.starts_with("letter"), "{name}");
        }
    }
    let (status, _, errors) = firstpass(dir.path(), &["mail", "preview", "--out", "p"]);
    assert_eq!((status, errors.as_str()), (0, ""), "again, over the first");
}

#[test]
fn a_language_without_a_letter_is_named_with_the_one_that_is_shown() {
    let dir = folder();
    let french = ["mail", "preview", "--language", "fr", "--out", "p"];
    let (status, _, errors) = firstpass(dir.path(), &french);
    let told = "there is no letter in fr: whoever has this language gets the one in en, as these files do";
    assert!(status == 0 && errors.contains(told), "{errors}");
    std::fs::write(dir.path().join("letters/letter.txt"), TEXT).unwrap();
    std::fs::write(dir.path().join("letters/letter.html"), HTML).unwrap();
    let (status, _, errors) = firstpass(dir.path(), &french);
    assert!(status == 0 && errors.contains("gets the letter that your templates have for every language"), "{errors}");
}

#[test]
fn a_dry_run_writes_nothing_and_json_is_one_document() {
    let dir = folder();
    let (status, said, _) = firstpass(dir.path(), &["--json", "mail", "preview", "--dry-run"]);
    assert_eq!(status, 0);
    let lines: Vec<serde_json::Value> = serde_json::from_str(&said).unwrap();
    assert_eq!(lines.len(), 2 * 7 * 3);
    assert_eq!(lines[0]["file"], "./preview/letter.de.INVENTED-CODE.txt");
    assert_eq!(
        (&lines[0]["letter"], &lines[0]["language"], &lines[0]["invented_code"]),
        (&"letter".into(), &"de".into(), &true.into())
    );
    assert!(!dir.path().join("preview").exists());
}

#[test]
fn a_hire_on_record_is_previewed_as_it_stands() {
    let dir = folder();
    let hires = "employee_id,user,display_name,start_date,zone,language\n\
        E1,zoe@contoso.example,Zoë O'Neill,2037-03-02,Pacific/Auckland,en-NZ\n";
    std::fs::write(dir.path().join("hires.csv"), hires).unwrap();
    assert_eq!(firstpass(dir.path(), &["import", "hires.csv", "--feed", "hr"]).0, 0);
    let (status, said, errors) = firstpass(dir.path(), &["mail", "preview", "E1", "--out", "p"]);
    assert_eq!((status, errors.as_str()), (0, ""), "{said}");
    let html = std::fs::read_to_string(dir.path().join("p/letter.en-NZ.INVENTED-CODE.html")).unwrap();
    assert!(html.contains("Zoë O&#x27;Neill") && html.contains("Monday, 2 March 2037, 09:00 (Pacific"), "{html}");
    let (status, _, errors) = firstpass(dir.path(), &["mail", "preview", "E9"]);
    assert_eq!(status, 1);
    assert!(errors.contains("E9"), "{errors}");
}

#[test]
fn a_bad_template_keeps_the_service_from_starting() {
    let dir = folder();
    std::fs::write(dir.path().join("letters/letter.de.txt"), TEXT.replace("{{ code }}", "{{ cod }}")).unwrap();
    std::fs::write(dir.path().join("letters/letter.de.html"), HTML.replace("<body>", "<body><img src=x>")).unwrap();
    let letters = format!("{}/letters/", dir.path().display());
    let wanted = format!("{letters}letter.de.txt:9: there is no variable \"cod\" here; did you mean \"code\"?");
    for args in [&["run", "--once"][..], &["mail", "preview"]] {
        let (status, _, errors) = firstpass(dir.path(), args);
        assert_eq!(status, 78, "{args:?}: {errors}");
        assert!(errors.contains(&wanted), "{args:?}: {errors}");
    }
    let (status, said, _) = firstpass(dir.path(), &["check", "--offline"]);
    assert_eq!(status, 1);
    assert!(said.contains("letter.de.txt:9"), "{said}");
    std::fs::write(dir.path().join("letters/letter.de.txt"), TEXT).unwrap();
    let (_, said, _) = firstpass(dir.path(), &["check", "--offline"]);
    assert!(said.contains("letter.de.html:3: holds a picture"), "{said}");
}
