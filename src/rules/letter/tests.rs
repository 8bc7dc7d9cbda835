//! The words of the letters as people read them, and what names and codes can never do to them.

use super::code::{CODE_MAX, MARK, put_code};
use super::plain::NAME_MAX;
use super::*;
use crate::rules::attempt::Code;
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn code(text: &str) -> Code {
    Code::new(Zeroizing::new(text.to_owned()))
}

fn pass_letter() -> PassLetter {
    PassLetter {
        to: MailAddress::parse("mia@contoso.example").unwrap(),
        manager_name: "Mia Chen".to_owned(),
        hire_name: "Ada Lovelace".to_owned(),
        user: "ada.lovelace@contoso.example".to_owned(),
        start: at("2027-03-01T08:00:00Z"),
        zone: Zone::parse("Europe/Berlin").unwrap(),
        valid_from: at("2027-03-01T08:00:00Z"),
        valid_until: at("2027-03-01T16:00:00Z"),
        usable_at_once: false,
        one_time: true,
        earlier: false,
        help: Some("Service desk, +49 30 1234".to_owned()),
        language: String::new(),
        message_id: "<12-34@contoso.example>".to_owned(),
    }
}

fn void_letter(why: VoidWhy) -> VoidLetter {
    VoidLetter {
        to: MailAddress::parse("mia@contoso.example").unwrap(),
        manager_name: "Mia Chen".to_owned(),
        hire_name: "Ada Lovelace".to_owned(),
        why,
        help: None,
        language: String::new(),
        message_id: "void.12-34@contoso.example".to_owned(),
    }
}

/// Everything a person sees of a letter.
fn shown(letter: &Letter) -> String {
    format!("Subject: {}\n\n{}\n=== HTML ===\n{}", letter.subject, *letter.text, *letter.html)
}

fn text_only(letter: &Letter) -> String {
    format!("Subject: {}\n\n{}", letter.subject, *letter.text)
}

/// Ours, in every language: with the name of the snapshot.
fn in_each_language(name: &str, write: impl Fn(&Letters, &str) -> String) {
    let letters = Letters::built_in();
    for tongue in Tongue::ALL {
        let tag = tongue.code();
        insta::assert_snapshot!(format!("{name}_{tag}"), write(&letters, tag));
    }
}

#[test]
fn once_from_the_start_on() {
    in_each_language("once_from_the_start_on", |letters, tag| {
        let facts = PassLetter { language: tag.to_owned(), ..pass_letter() };
        let letter = letters.pass(&facts, &code("K7x9-Qp2m")).unwrap();
        assert_eq!(letter.message_id, "12-34@contoso.example");
        shown(&letter)
    });
}

#[test]
fn several_times_and_at_once() {
    in_each_language("several_times_and_at_once", |letters, tag| {
        let facts = PassLetter {
            usable_at_once: true,
            one_time: false,
            manager_name: String::new(),
            user: String::new(),
            help: None,
            valid_from: at("2027-03-01T09:12:00Z"),
            valid_until: at("2027-03-01T17:12:00Z"),
            language: tag.to_owned(),
            ..pass_letter()
        };
        shown(&letters.pass(&facts, &code("K7x9-Qp2m")).unwrap())
    });
}

#[test]
fn replacing_an_earlier_one() {
    in_each_language("replacing_an_earlier_one", |letters, tag| {
        let facts = PassLetter { earlier: true, language: tag.to_owned(), ..pass_letter() };
        shown(&letters.pass(&facts, &code("K7x9-Qp2m")).unwrap())
    });
}

#[test]
fn void_letters() {
    let start = Moment::at(at("2027-03-08T08:00:00Z"), &Zone::parse("Europe/Berlin").unwrap());
    in_each_language("void_letters", |letters, tag| {
        let write = |why| letters.void(&VoidLetter { language: tag.to_owned(), ..void_letter(why) }).unwrap();
        let rest = [VoidWhy::Moved { start: start.clone() }, VoidWhy::NewManager, VoidWhy::Other].map(write);
        let rest = rest.each_ref().map(text_only).join("\n=== next ===\n");
        format!("{}\n\n=== next ===\n{rest}", shown(&write(VoidWhy::Cancelled)))
    });
}

#[test]
fn a_void_letter_of_ones_own_that_fails_does_not_keep_the_word_back() {
    let file = |name: &str, text: &str| TemplateFile { name: name.to_owned(), text: text.to_owned() };
    let fails = "{% if hire == \"Zed\" %}{{ 1 // 0 }}{% endif %}";
    let own = [
        file("void.de.txt", &format!("Subject: Eigener\n\nUngültig: {{{{ hire }}}} {fails}\n")),
        file("void.de.html", &format!("<!doctype html><title>x</title><body>Ungültig: {{{{ hire }}}} {fails}")),
    ];
    let letters = Letters::with(&own, "en").unwrap();
    let write = |hire: &str| {
        let facts =
            VoidLetter { hire_name: hire.to_owned(), language: "de-CH".to_owned(), ..void_letter(VoidWhy::Cancelled) };
        letters.void(&facts).unwrap().subject
    };
    assert_eq!(write("Ada"), "Eigener");
    assert_eq!(write("Zed"), "Der Anmeldecode für Zed gilt nicht mehr");
}

#[test]
fn nasty_names_are_only_text_f47_f48_f49() {
    let facts = PassLetter {
        hire_name: "Ada\r\nBcc: x@evil.example\n.\nMAIL FROM:<x@evil.example> {{pass}} {% if x %}".to_owned(),
        manager_name: "<b onclick=alert(1)>Mia</b> & \u{202e}\"Co\"\u{0}'s \u{f10ff}".to_owned(),
        help: Some("<script src=//evil.example></script>{{ code }}".to_owned()),
        user: "ada\u{2066}@contoso.example".to_owned(),
        ..pass_letter()
    };
    let letter = Letters::built_in().pass(&facts, &code("<K7x&'\"9>")).unwrap();
    assert!(!letter.html.contains("<script") && !letter.html.contains("<b onclick"));
    insta::assert_snapshot!(shown(&letter));
}

#[test]
fn a_long_name_is_cut() {
    let name = plain(&"Ö".repeat(300));
    assert_eq!(name.chars().count(), NAME_MAX);
    assert!(name.ends_with('…'));
}

#[test]
fn a_code_that_cannot_be_read_out_is_no_letter() {
    for bad in ["", "K7 x9", "K7\nx9", "K7\u{200b}x9", &"x".repeat(CODE_MAX + 1)] {
        let refused = Letters::built_in().pass(&pass_letter(), &code(bad));
        assert_eq!(refused.err(), Some(LetterError::CodeUnreadable), "{bad:?}");
    }
}

#[test]
fn a_preview_never_shows_the_code() {
    let too_early = put_code("t", &format!("short {MARK}"), &format!("short {MARK}"), "K7x9", false);
    assert_eq!(too_early.err(), Some(LetterError::CodeTooEarly { template: "t".to_owned() }));
    let late = format!("K7x9 {} {MARK}", "y".repeat(200));
    let by_chance = put_code("t", &late, &late, "K7x9", false);
    assert_eq!(by_chance.err(), Some(LetterError::CodeTooEarly { template: "t".to_owned() }));
    let late_in_source_early_on_screen =
        put_code("t", &format!("{}{MARK}", "y".repeat(200)), &MARK.to_string(), "K7x9", false);
    assert_eq!(late_in_source_early_on_screen.err(), Some(LetterError::CodeTooEarly { template: "t".to_owned() }));
    let never = put_code("t", "no mark", "", "K7x9", false);
    assert_eq!(never.err(), Some(LetterError::CodeNotOnce { template: "t".to_owned(), times: 0 }));
    let in_an_attribute = put_code("t", &format!("{}{MARK}", "y".repeat(200)), "no mark", "K7x9", true);
    assert_eq!(in_an_attribute.err(), Some(LetterError::CodeHidden { template: "t".to_owned() }));
    // A name that happens to be the code.
    let facts = PassLetter { hire_name: "K7x9-Qp2m".to_owned(), ..pass_letter() };
    let refused = Letters::built_in().pass(&facts, &code("K7x9-Qp2m"));
    assert!(matches!(refused.err(), Some(LetterError::CodeTooEarly { .. })));
}

proptest! {
    /// Whatever people are called: one subject line, no markup of theirs, the code once and late.
    #[test]
    fn any_names_give_a_good_letter(hire in any::<String>(), manager in any::<String>(), help in any::<Option<String>>(), earlier: bool, german: bool) {
        let language = if german { "de-AT" } else { "" }.to_owned();
        let facts = PassLetter { hire_name: hire, manager_name: manager, help, earlier, language: language.clone(), ..pass_letter() };
        let letter = Letters::built_in().pass(&facts, &code("K7x9-Qp2m-5tRw")).unwrap();
        prop_assert!(!letter.subject.chars().any(char::is_control));
        for part in [&letter.text, &letter.html] {
            prop_assert_eq!(part.matches("K7x9-Qp2m-5tRw").count(), 1);
            prop_assert!(!part.chars().take(QUIET).collect::<String>().contains("K7x9"));
            prop_assert!(!part.chars().any(|c| c.is_control() && c != '\n'));
        }
        for line in letter.text.lines() {
            let words = line.split(' ').filter(|word| word.chars().count() > 60).count();
            prop_assert!(textwrap::core::display_width(line) <= wrap::WIDTH || words > 0, "{}", line);
        }
        let tags = |html: &str| html.matches('<').count();
        let calm = PassLetter { hire_name: "A".to_owned(), manager_name: "B".to_owned(), help: Some("C".to_owned()), earlier, language, ..pass_letter() };
        let calm = Letters::built_in().pass(&calm, &code("K7x9-Qp2m-5tRw")).unwrap();
        prop_assert!(tags(&letter.html) <= tags(&calm.html));
    }
}
