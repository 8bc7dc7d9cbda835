//! `notify`: who is told, tried now (`test`), and how everything stands today (`digest`).
//!
//! Both go past the outbox, to every mailbox and webhook of the settings at once, and say for each what
//! was done. They write nothing into the state, so they may run beside the service.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use serde::Serialize;
use uuid::Uuid;

use super::end::{End, Trouble, chain};
use super::open;
use super::out::Out;
use crate::clock::Clock;
use crate::config::{Limits, Settings};
use crate::mail::webhook;
use crate::rules::notice::{Cause, Notice, frame, mail};
use crate::work;
use crate::work::post::Post;
use crate::work::tell::{Audience, audiences, digest, send};

/// What of notices.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// Sends a test notice to every mailbox and webhook of the settings, and says step by step what was done.
    #[command(
        after_help = "Example: firstpass notify test\n\nExit status: 0 all took it, 1 one did not, with the step that failed, 78 settings unusable."
    )]
    Test(Args),
    /// Today's digest: prints it and sends it now; with --dry-run it is printed only.
    #[command(
        after_help = "Example: firstpass notify digest --dry-run\n\nExit status: 0 all took it, 1 one did not, 78 settings unusable."
    )]
    Digest(Args),
}

/// Sent or only looked at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Send nothing: show what would go where.
    #[arg(long)]
    dry_run: bool,
}

/// What became of one notice for one target.
#[derive(Debug, Serialize)]
struct Sent {
    /// An address, or the name of a webhook.
    to: String,
    by: &'static str,
    steps: Vec<String>,
    /// Who took it says this; none = not taken.
    accepted: Option<String>,
    error: Option<String>,
}

/// One notice, and where it went.
#[derive(Debug, Serialize)]
struct Line {
    /// Tenants it is about.
    tenants: Vec<String>,
    notice: Notice,
    sent: Vec<Sent>,
}

/// Does it.
pub async fn act(act: Act, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    let now = open::now();
    let told = audiences(&settings);
    if told.is_empty() {
        return Err(Trouble::Failed(
            "nobody is told: set notify.to, or a [[notify.webhook]]; see deploy/notices.md".to_owned(),
        ));
    }
    let (dry_run, notices) = match act {
        Act::Test(args) => (args.dry_run, told.iter().map(|_| test(now)).collect()),
        Act::Digest(args) => (args.dry_run, digests(&settings, &told, now).await?),
    };
    let mut lines = Vec::new();
    for (audience, notice) in told.iter().zip(notices) {
        let sent = if dry_run { looked(audience) } else { everywhere(&settings, audience, &notice).await? };
        lines.push(Line { tenants: audience.tenants.clone(), notice, sent });
    }
    show(&lines, out)?;
    let failed = lines.iter().flat_map(|line| &line.sent).any(|sent| sent.error.is_some());
    Ok(if failed { End::NeedsAPerson } else { End::Done })
}

fn test(now: DateTime<Utc>) -> Notice {
    let (subject, lead, remedy) = frame(Cause::Test, 0);
    Notice { cause: Cause::Test, at: now, subject, lead, sections: Vec::new(), remedy }
}

/// How everything stands for each audience, as the service would say it now.
async fn digests(settings: &Settings, told: &[Audience], now: DateTime<Utc>) -> Result<Vec<Notice>, Trouble> {
    let store = open::existing_state(settings).await?;
    let mut notices = Vec::new();
    for audience in told {
        let times = audience.digest(now);
        let times =
            times.ok_or_else(|| Trouble::Failed("today is beyond the dates that can be computed".to_owned()))?;
        let before = store.told_at(&audience.name, Cause::Digest.as_str()).await?;
        let since = before.unwrap_or(now - TimeDelta::days(1));
        notices.push(digest::notice(settings, &store, audience, &times, since, now).await?);
    }
    store.close().await;
    Ok(notices)
}

/// Where it would go, and whether our own files for it are there.
fn looked(audience: &Audience) -> Vec<Sent> {
    let sent = |to: &str, by, error| Sent { to: to.to_owned(), by, steps: Vec::new(), accepted: None, error };
    let mut all: Vec<Sent> = audience.to.iter().map(|to| sent(to.as_str(), "mail", None)).collect();
    for hook in &audience.hooks {
        let error = webhook::look(hook).err().map(|failure| failure.to_string());
        all.push(sent(&hook.name, "webhook", error));
    }
    all
}

async fn everywhere(settings: &Settings, audience: &Audience, notice: &Notice) -> Result<Vec<Sent>, Trouble> {
    let mut all = Vec::new();
    let uid = || Uuid::new_v4().simple().to_string();
    if !audience.to.is_empty() {
        let limits = Limits::default();
        let unusable = |error: &dyn std::error::Error| Trouble::Settings(chain(error));
        let lenders = work::clients(settings, &limits, &Clock::System).map_err(|error| unusable(&error))?;
        let post = Post::new(&settings.mail, &limits, &lenders).map_err(|error| unusable(&error))?;
        for to in &audience.to {
            let mut steps = Vec::new();
            let taken = send::to_mailbox(&post, &settings.mail, to, open::now(), &uid(), notice, &mut steps).await;
            let (accepted, error) = match taken {
                Ok(receipt) => (Some(receipt.reply), None),
                Err(failure) => (None, Some(failure.to_string())),
            };
            all.push(Sent { to: to.as_str().to_owned(), by: "mail", steps, accepted, error });
        }
        post.close().await;
    }
    for hook in &audience.hooks {
        let signed = if hook.secret_file.is_some() { "signed" } else { "not signed: there is no secret_file" };
        let (accepted, error) = match send::to_webhook(hook, open::now(), &uid(), notice).await {
            Ok(answer) => (Some(answer), None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        let steps = if accepted.is_some() { vec![format!("sent as {}, {signed}", hook.format)] } else { Vec::new() };
        all.push(Sent { to: hook.name.clone(), by: "webhook", steps, accepted, error });
    }
    Ok(all)
}

fn show(lines: &[Line], out: Out) -> Result<(), Trouble> {
    if out.is_json() {
        return Ok(out.document(&lines)?);
    }
    let mut text = Vec::new();
    for line in lines {
        text.push(format!("Subject: {}", line.notice.subject));
        text.push(String::new());
        text.extend(mail(&line.notice).0.lines().map(str::to_owned));
        text.push(String::new());
        for sent in &line.sent {
            text.push(format!("{} {}", sent.by, sent.to));
            text.extend(sent.steps.iter().map(|step| format!("  ok     {step}")));
            text.extend(sent.accepted.iter().map(|answer| format!("  ok     taken: {answer}")));
            text.extend(sent.error.iter().map(|why| format!("  FAILED {why}")));
        }
    }
    Ok(out.lines(text)?)
}
