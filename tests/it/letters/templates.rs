//! What is wrong with a template is said with file, line and remedy, before any hire is looked at.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use firstpass::config::{self, Mail};
use firstpass::rules::calendar::Zone;
use firstpass::rules::hire::MailAddress;
use firstpass::rules::letter::{Letters, PassLetter};

use super::{HTML, TEXT, file, judged};

/// One change to a good letter, and what is said about it.
fn faults(changes: &[(&str, &str, &str)]) -> String {
    let mut said = String::new();
    for (what, from, to) in changes {
        assert!(TEXT.contains(from) || HTML.contains(from), "{what}");
        let files = [file("letter.de.txt", &TEXT.replace(from, to)), file("letter.de.html", &HTML.replace(from, to))];
        let _ = write!(said, "# {what}\n{}\n", judged(&files));
    }
    said
}

#[test]
fn a_good_letter_is_in_order() {
    assert_eq!(judged(&[file("letter.txt", TEXT), file("letter.html", HTML)]), "in order\n");
    assert_eq!(judged(&[]), "in order\n");
}

#[test]
fn each_fault_is_named_with_its_line_t15() {
    let said = faults(&[
        ("an unknown variable", "{{ valid_until }}", "{{ vald_until }}"),
        ("an unknown variable on a way that is seldom taken", "Often.", "{{ hier }}"),
        ("no end of if", "{% endif %}\n{% if", "\n{% if"),
        ("a filter", "{{ manager }}", "{{ manager|upper }}"),
        ("a function", "{{ manager }}", "{{ range(5) }}"),
        ("an include", "Dear", "{% include 'letter.txt' %}Dear"),
        ("the code in the subject", "Code for {{ hire }}", "{{ code }} for {{ hire }}"),
        ("no subject", "Subject: Code", "Betreff: Code"),
        ("an empty subject", "Code for {{ hire }}, {{ start_date }}", ""),
        ("no code", "{{ code }}", "the code"),
        ("the code twice", "{{ code }}", "{{ code }} {{ code }}"),
        ("the code only once in a while", "{{ code }}", "{% if one_time %}{{ code }}{% endif %}"),
        (
            "the code in an attribute",
            "<code>{{ code }}</code>",
            "<a href=\"https://contoso.example/{{ code }}\">here</a>",
        ),
        ("the code in a remark", "<code>{{ code }}</code>", "<!-- {{ code }} -->"),
        (
            "names as markup",
            "<p>Dear {{ manager }},</p>",
            "{% autoescape false %}<p>Dear {{ manager }},</p>{% endautoescape %}",
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn the_code_stands_behind_what_a_locked_phone_shows_t15() {
    let early = |text: &str| text.replace("{{ code }}", "below").replace("Dear {{ manager }}", "{{ code }}");
    let files = [file("letter.txt", &early(TEXT)), file("letter.html", &early(HTML))];
    let said = "shows the code within the first 100 characters, which a locked phone shows; move it down";
    assert_eq!(
        judged(&files),
        format!("letter.txt:3: {said}\nletter.html:4: {said}\n").split_inclusive('\n').next().unwrap()
    );
    let head = HTML.replace("{{ code }}", "below").replace("{{ subject }}", "{{ code }}");
    let judged = judged(&[file("letter.txt", TEXT), file("letter.html", &head)]);
    assert!(judged.starts_with("letter.html:2: must show the code as text in the body"), "{judged}");
}

#[test]
fn what_is_unwise_is_a_warning() {
    let said = faults(&[
        ("a picture", "<body>", "<body><img src=\"https://contoso.example/logo.png\">"),
        ("a script", "<body>", "<body>\n<script>alert(1)</script>"),
        ("a remote style", "<head>", "<head><link rel=\"stylesheet\" href=\"https://contoso.example/a.css\">"),
        ("no end of validity", " until {{ valid_until }}", ""),
        ("nothing about earlier codes", "{% if earlier %}The earlier code is void.{% endif %}", ""),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn a_template_that_does_not_end_is_refused() {
    let loops = "{% for a in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) * 10 %}".repeat(6);
    let ends = "{% endfor %}".repeat(6);
    for (bomb, said) in [
        (format!("{loops}{ends}"), "too many steps"),
        ("{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}".to_owned(), ""),
        ("{{ 'x' * 9999999 }}".to_owned(), "grows past 256 KiB"),
        ("{{ 'x' * 9999999999 }}".to_owned(), "too large"),
    ] {
        let files = [file("letter.txt", &TEXT.replace("Often.", &bomb)), file("letter.html", HTML)];
        let judged = judged(&files);
        assert!(judged.starts_with("letter.txt:1") && judged.contains(said), "{bomb}: {judged}");
    }
}

#[test]
fn names_of_files() {
    let mut said = String::new();
    for name in
        ["leter.de.html", "letter.de-at.html", "letter.german.txt", "letter.a.b.txt", "void.de.html", "notes.txt"]
    {
        let _ = write!(said, "# {name}\n{}\n", judged(&[file(name, TEXT)]));
    }
    insta::assert_snapshot!(said);
}

/// Every text says which one it is.
fn named(name: &str) -> [firstpass::rules::letter::TemplateFile; 2] {
    [file(&format!("{name}.txt"), &TEXT.replace("Code for", name)), file(&format!("{name}.html"), HTML)]
}

fn subject(letters: &Letters, language: &str) -> String {
    let at = "2027-03-01T08:00:00Z".parse().unwrap();
    let facts = PassLetter {
        to: MailAddress::parse("mia@contoso.example").unwrap(),
        manager_name: "Mia".to_owned(),
        hire_name: "Ada".to_owned(),
        user: String::new(),
        start: at,
        zone: Zone::parse("Europe/Berlin").unwrap(),
        valid_from: at,
        valid_until: at,
        usable_at_once: false,
        one_time: true,
        earlier: false,
        help: None,
        language: language.to_owned(),
        message_id: "1-2@contoso.example".to_owned(),
    };
    letters.rehearse(&facts).unwrap().subject
}

#[test]
fn the_language_picks_the_letter() {
    let english = "First sign-in of Ada, start Monday, 1 March 2027";
    let german = "Erste Anmeldung von Ada, Arbeitsbeginn Montag, 1. März 2027";
    let built_in = Letters::built_in();
    for (tag, wanted) in
        [("de", german), ("de-DE", german), ("de_AT", german), ("en-GB", english), ("fr", english), ("", english)]
    {
        assert_eq!(subject(&built_in, tag), wanted, "{tag}");
    }
    let usual = Letters::with(&[], "de").unwrap();
    assert_eq!(
        (subject(&usual, ""), subject(&usual, "fr"), subject(&usual, "en")),
        (german.into(), german.into(), english.into())
    );

    let french = Letters::with(&named("letter.fr"), "en").unwrap();
    assert_eq!(subject(&french, "fr-CA"), "letter.fr Ada, 2027-03-01");
    assert_eq!((subject(&french, "de"), subject(&french, "it")), (german.into(), english.into()));

    let own = Letters::with(&[named("letter"), named("letter.de")].concat(), "en").unwrap();
    assert_eq!(subject(&own, "de"), "letter.de Ada, Montag, 1. März 2027");
    assert_eq!(subject(&own, "it"), "letter Ada, Monday, 1 March 2027");
}

fn mail(templates: &Path) -> Mail {
    let text = format!(
        "[[tenant]]\nname = \"contoso\"\ntenant_id = \"11111111-2222-3333-4444-555555555555\"\n\
         client_id = \"66666666-7777-8888-9999-000000000000\"\nclient_secret_file = \"s\"\n\
         [[feed]]\nname = \"hr\"\ntenant = \"contoso\"\nfolder = \"drop\"\n\
         [mail]\nfrom = \"a@contoso.example\"\ntemplates = \"{}\"\n[mail.smtp]\nhost = \"h\"\nauth = \"none\"\n",
        templates.display()
    );
    let file = templates.with_extension("toml");
    std::fs::write(&file, text).unwrap();
    config::Settings::load(&file, std::iter::empty()).unwrap().mail
}

#[test]
fn the_folder_is_read_with_care() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("letters");
    let mail = mail(&folder);
    let said = |mail: &Mail| match config::letters::letters(mail) {
        Ok(_) => "in order".to_owned(),
        Err(error) => error.to_string().replace(dir.path().to_str().unwrap(), ""),
    };
    assert!(said(&mail).starts_with("/letters: mail.templates: the folder cannot be read"), "{}", said(&mail));
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("letter.txt", format!("\u{feff}{}", TEXT.replace('\n', "\r\n")).as_bytes());
    write("letter.html", HTML.as_bytes());
    for other in ["README.md", ".letter.txt.swp", "letter.html.bak"] {
        write(other, b"{{ nothing");
    }
    assert_eq!(said(&mail), "in order");
    write("letter.txt", TEXT.replace("{{ valid_from }}", "{{ valid_form }}").replace('\n', "\r\n").as_bytes());
    assert_eq!(
        said(&mail),
        "/letters/letter.txt:11: there is no variable \"valid_form\" here; did you mean \"valid_from\"?"
    );
    write("letter.txt", b"Subject: \xff\n");
    assert_eq!(said(&mail), "/letters/letter.txt: is no UTF-8 text; save it as UTF-8");
    write("letter.txt", &vec![b'x'; 65 * 1024]);
    assert_eq!(said(&mail), "/letters/letter.txt: is larger than 64 KiB; a letter is much shorter");
    write("letter.txt", TEXT.as_bytes());
    std::fs::set_permissions(folder.join("letter.txt"), PermissionsExt::from_mode(0o666)).unwrap();
    assert!(said(&mail).starts_with("/letters/letter.txt: everybody can write this file"), "{}", said(&mail));
    std::fs::set_permissions(folder.join("letter.txt"), PermissionsExt::from_mode(0o644)).unwrap();
    // The sticky bit keeps others from deleting, not from adding.
    for mode in [0o777, 0o1777] {
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
        assert!(said(&mail).starts_with("/letters: everybody can write into this folder"), "{}", said(&mail));
    }
}
