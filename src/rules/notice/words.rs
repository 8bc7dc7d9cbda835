//! The words of a notice: subject, sentence and remedy of each cause, and the mail.
//!
//! Plain text, and the same as simple HTML; no name in a subject, which telephones show on a locked
//! screen.

use std::fmt::Write as _;

use super::{Cause, Line, Notice, Section};

/// Subject, sentence and remedy of `n` things of one cause.
///
/// ```
/// use firstpass::rules::notice::{Cause, frame};
/// assert_eq!(frame(Cause::FileHeld, 1).0, "firstpass: 1 file is held");
/// assert_eq!(frame(Cause::FileHeld, 2).0, "firstpass: 2 files are held");
/// ```
pub fn frame(cause: Cause, n: usize) -> (String, String, String) {
    let (subject, lead, remedy) = match cause {
        Cause::Attention => (
            plural(n, "hire needs a person", "hires need a person"),
            "Somebody has to look before the start, which comes before the next digest.",
            "`firstpass hire show KEY` tells the whole story; when the cause is gone, most go on by themselves.",
        ),
        Cause::StartPassed => (
            plural(n, "start passed without a letter", "starts passed without a letter"),
            "The start is over, and no letter with a pass went out.",
            "Help them by hand, or mend the cause: a letter still goes out within schedule.late_until, and `firstpass hire retry KEY --reason TEXT` opens a new window.",
        ),
        Cause::PassUnused => (
            plural(n, "pass is unused an hour after the start", "passes are unused an hour after the start"),
            "The pass can be used once, and was not, an hour after it became usable: the hire may not have it, or may not be there.",
            "Ask the manager. A pass can still be used until its end, which stands in the letter.",
        ),
        Cause::PassReplaced => (
            plural(n, "pass was replaced by somebody else's", "passes were replaced by somebody else's"),
            "Somebody made another pass for the person: the code in our letter is worth nothing now. firstpass does not fight it.",
            "Find out in Entra's audit log who made it; it may be a colleague, or an incident.",
        ),
        Cause::PassDeleted => (
            plural(n, "pass was deleted by somebody else", "passes were deleted by somebody else"),
            "The code in our letter is worth nothing now.",
            "Find out in Entra's audit log who deleted it. The manager has to be told by somebody.",
        ),
        Cause::PassNotDeleted => (
            plural(n, "pass cannot be deleted", "passes cannot be deleted"),
            "It is not wanted any more (cancelled, moved, another manager), and Microsoft does not delete it: its code works until its end.",
            "Delete it in Entra: Users, the account, Authentication methods. firstpass tries on, and tells whoever has the letter when the code is void.",
        ),
        Cause::VoidNotTold => (
            plural(n, "manager holds a void code", "managers hold a void code"),
            "A letter that its code is void could not be delivered.",
            "Call the manager: the code does not work any more.",
        ),
        Cause::TenantStopped => (
            plural(n, "tenant is stopped", "tenants are stopped"),
            "No pass is made there until it is mended; firstpass goes on by itself then.",
            "`firstpass check` says how.",
        ),
        Cause::MailStopped => (
            "letters cannot go out".to_owned(),
            "No pass is made while its letter could not go out; firstpass goes on by itself when it can.",
            "`firstpass check` and `firstpass mail test ADDRESS` say how.",
        ),
        Cause::ClockWrong => (
            "this host's clock is wrong".to_owned(),
            "Nothing is issued and no feed is read until it is right.",
            "Check time synchronisation (`timedatectl`).",
        ),
        Cause::TenantResumed => again("a tenant works again"),
        Cause::MailResumed => again("letters can go out again"),
        Cause::ClockRight => again("this host's clock is right again"),
        Cause::FeedResumed => again("a feed can be read again"),
        Cause::FeedStopped => (
            plural(n, "feed cannot be read", "feeds cannot be read"),
            "Hires on record go on; new ones and changes do not come in.",
            "`firstpass check` says how to mend it; the next poll tries again.",
        ),
        Cause::FeedOverdue => (
            plural(n, "feed is overdue", "feeds are overdue"),
            "No new file came in time; hires on record go on.",
            "See whether HR's export still runs, or raise expect_every.",
        ),
        Cause::FileHeld => (
            plural(n, "file is held", "files are held"),
            "It would change more than the feed's brake allows, so nothing of it was taken.",
            "`firstpass feed list` shows it; `firstpass feed accept FILE --reason TEXT` lets it in, `feed refuse` does not, a newer file takes its place.",
        ),
        Cause::FileRejected => (
            plural(n, "file could not be read", "files could not be read"),
            "Nothing of it was taken; it lies in rejected/.",
            "Its report there says why. Correct it and drop it again.",
        ),
        Cause::RowsRejected => (
            plural(n, "file has new rejected rows", "files have new rejected rows"),
            "The other rows were taken; those people get no pass until their row is right.",
            "NAME.rejected.csv in rejected/ has line, column and reason. Correct it and drop it again.",
        ),
        Cause::Digest => ("daily digest".to_owned(), "", ""),
        Cause::Test => {
            ("test of notices".to_owned(), "This is a test of what firstpass tells admins. Nothing has to be done.", "")
        }
    };
    (format!("firstpass: {subject}"), lead.to_owned(), remedy.to_owned())
}

/// Trouble that is over.
fn again(subject: &str) -> (String, &'static str, &'static str) {
    (subject.to_owned(), "What waited goes on by itself.", "`firstpass plan` shows what comes next.")
}

fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// The mail: text and HTML.
pub fn mail(notice: &Notice) -> (String, String) {
    let mut paragraphs = vec![Paragraph::Words(notice.lead.clone())];
    for section in &notice.sections {
        if !section.title.is_empty() {
            paragraphs.push(Paragraph::Title(section.title.clone()));
        }
        paragraphs.push(Paragraph::List(items(section)));
    }
    paragraphs.push(Paragraph::Words(notice.remedy.clone()));
    paragraphs.push(Paragraph::Words(
        "This was sent by firstpass to the addresses in [notify]. It never holds a code.".to_owned(),
    ));
    (text(&paragraphs), html(&notice.subject, &paragraphs))
}

enum Paragraph {
    Title(String),
    Words(String),
    /// A head, and what stands below it.
    List(Vec<(String, String)>),
}

fn items(section: &Section) -> Vec<(String, String)> {
    let mut items: Vec<_> = section.lines.iter().map(item).collect();
    if section.more > 0 {
        items.push((format!("and {} more", section.more), String::new()));
    }
    items
}

fn item(line: &Line) -> (String, String) {
    let start = if line.start.is_empty() { String::new() } else { format!(", starts {}", line.start) };
    if line.employee_id.is_empty() {
        return (line.text.clone(), String::new());
    }
    let head = format!("{}/{} {}", line.tenant, line.employee_id, line.name);
    let below = match (line.reason.is_empty(), line.text.is_empty()) {
        (false, false) => format!("{}: {}", line.reason, line.text),
        (false, true) => line.reason.clone(),
        (true, _) => line.text.clone(),
    };
    (format!("{}{start}", head.trim_end()), below)
}

fn text(paragraphs: &[Paragraph]) -> String {
    let mut out = String::new();
    for paragraph in paragraphs {
        match paragraph {
            Paragraph::Words(words) if words.is_empty() => {}
            Paragraph::Words(words) => {
                let _ = writeln!(out, "{}\n", textwrap::fill(words, COLUMNS));
            }
            Paragraph::Title(title) => {
                let _ = writeln!(out, "{title}\n{}\n", "-".repeat(title.chars().count()));
            }
            Paragraph::List(items) => {
                for (head, below) in items {
                    let _ = writeln!(out, "{}", wrapped(head, "- "));
                    if !below.is_empty() {
                        let _ = writeln!(out, "{}", wrapped(below, "  "));
                    }
                }
                out.push('\n');
            }
        }
    }
    format!("{}\n", out.trim_end())
}

/// Columns of a line of text.
const COLUMNS: usize = 78;

fn wrapped(text: &str, indent: &str) -> String {
    textwrap::fill(text, textwrap::Options::new(COLUMNS).initial_indent(indent).subsequent_indent("  "))
}

fn html(subject: &str, paragraphs: &[Paragraph]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head><body>\n",
        escaped(subject)
    );
    for paragraph in paragraphs {
        match paragraph {
            Paragraph::Words(words) if words.is_empty() => {}
            Paragraph::Words(words) => {
                let _ = writeln!(out, "<p>{}</p>", escaped(words));
            }
            Paragraph::Title(title) => {
                let _ = writeln!(out, "<h3>{}</h3>", escaped(title));
            }
            Paragraph::List(items) => {
                out.push_str("<ul>\n");
                for (head, below) in items {
                    let below = if below.is_empty() { String::new() } else { format!("<br>{}", escaped(below)) };
                    let _ = writeln!(out, "<li><b>{}</b>{below}</li>", escaped(head));
                }
                out.push_str("</ul>\n");
            }
        }
    }
    out.push_str("</body></html>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
