//! What a webhook gets: employee ids and reasons, never a name, never a hire's sentence.
//!
//! The receiver is another company's service with a log of its own. Texts of ours about feeds, files
//! and tenants go along, addresses masked.

use serde_json::{Value, json};

use super::{Format, Line, Notice, Section};

/// Slack refuses a text of more than 3000 characters, and more than 50 blocks.
const SLACK_TEXT: usize = 2800;
/// Teams refuses a message of more than 28 KB: lines of a card.
const TEAMS_LINES: usize = 60;
/// Characters of one line of a card or block.
const LINE: usize = 300;

/// The body of a request.
///
/// ```
/// use firstpass::rules::notice::{Cause, Format, Line, Notice, Section, hook};
/// let grace = Line { tenant: "contoso".into(), employee_id: "E1".into(), name: "Grace Hopper".into(),
///     reason: "user-missing".into(), text: "Grace is not there".into(), ..Line::default() };
/// let notice = Notice { cause: Cause::Attention, at: chrono::DateTime::UNIX_EPOCH, subject: "1 hire".into(),
///     lead: String::new(), sections: vec![Section::new("", vec![grace], 20)], remedy: String::new() };
/// for format in Format::ALL {
///     let body = hook::body(*format, &notice);
///     assert!(body.contains("E1") && body.contains("user-missing") && !body.contains("Grace"));
/// }
/// ```
pub fn body(format: Format, notice: &Notice) -> String {
    match format {
        Format::Json => standard(notice),
        Format::Teams => teams(notice),
        Format::Slack => slack(notice),
    }
    .to_string()
}

/// As the Standard Webhooks specification advises: type, timestamp, data.
fn standard(notice: &Notice) -> Value {
    let sections: Vec<Value> = notice
        .sections
        .iter()
        .map(|section| {
            let hires: Vec<Value> = section
                .lines
                .iter()
                .filter(|line| !line.employee_id.is_empty())
                .map(|line| {
                    json!({"tenant": line.tenant, "employee_id": line.employee_id, "start": line.start, "reason": line.reason})
                })
                .collect();
            let others = section.lines.iter().filter(|line| line.employee_id.is_empty());
            let others: Vec<Value> =
                others.map(|line| json!({"tenant": line.tenant, "reason": line.reason, "text": line.text})).collect();
            json!({"title": section.title, "hires": hires, "others": others, "more": section.more})
        })
        .collect();
    json!({
        "type": format!("firstpass.{}", notice.cause),
        "timestamp": notice.at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "data": {"subject": notice.subject, "text": notice.lead, "what_to_do": notice.remedy, "sections": sections},
    })
}

/// Rich text, whose runs know no markup: an employee id cannot become a link.
fn teams(notice: &Notice) -> Value {
    let run = |text: &str, bold: bool| {
        let run = json!({"type": "TextRun", "text": text, "weight": if bold { "Bolder" } else { "Default" }});
        json!({"type": "RichTextBlock", "inlines": [run]})
    };
    let mut body = vec![run(&notice.subject, true)];
    body.extend((!notice.lead.is_empty()).then(|| run(&notice.lead, false)));
    for section in &notice.sections {
        body.extend((!section.title.is_empty()).then(|| run(&section.title, true)));
        body.extend(lines(section).iter().map(|line| run(line, false)));
    }
    if let Some(more) = body.len().checked_sub(TEAMS_LINES).filter(|more| *more > 0) {
        body.truncate(TEAMS_LINES);
        body.push(run(&format!("and {more} more lines"), false));
    }
    body.extend((!notice.remedy.is_empty()).then(|| run(&notice.remedy, false)));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

fn slack(notice: &Notice) -> Value {
    let block = |text: &str| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
    let mut blocks = vec![block(&format!("*{}*", for_slack(&notice.subject)))];
    blocks.extend((!notice.lead.is_empty()).then(|| block(&for_slack(&notice.lead))));
    for section in &notice.sections {
        let mut text =
            if section.title.is_empty() { String::new() } else { format!("*{}*", for_slack(&section.title)) };
        for line in lines(section) {
            let line = format!("\n• {}", for_slack(&line));
            if text.len() + line.len() > SLACK_TEXT {
                blocks.push(block(text.trim()));
                text.clear();
            }
            text.push_str(&line);
        }
        blocks.extend((!text.trim().is_empty()).then(|| block(text.trim())));
    }
    blocks.extend((!notice.remedy.is_empty()).then(|| block(&for_slack(&notice.remedy))));
    json!({"text": for_slack(&notice.subject), "blocks": blocks})
}

/// `&`, `<` and `>` are Slack's markup: `<!channel>` would call everybody.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn lines(section: &Section) -> Vec<String> {
    let mut lines: Vec<String> = section.lines.iter().map(line).collect();
    lines.extend((section.more > 0).then(|| format!("and {} more", section.more)));
    lines
}

fn line(line: &Line) -> String {
    let text = if line.employee_id.is_empty() {
        line.text.clone()
    } else {
        let start = if line.start.is_empty() { String::new() } else { format!(", starts {}", line.start) };
        let reason = if line.reason.is_empty() { String::new() } else { format!(": {}", line.reason) };
        format!("{}/{}{start}{reason}", line.tenant, line.employee_id)
    };
    text.chars().take(LINE).collect()
}
