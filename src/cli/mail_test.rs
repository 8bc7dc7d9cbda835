//! `mail test`: one letter without a pass, by the way that the settings name.
//!
//! It says what was done, step by step, and with the step that failed the remedy. It touches no
//! state and no hire, so it may run beside the service. Accepted is not delivered: look into the
//! mailbox.

use std::path::Path;

use serde::Serialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::end::{End, Trouble, chain};
use super::open;
use super::out::Out;
use crate::clock::Clock;
use crate::config::{Limits, Mail, Settings};
use crate::mail::MailFailure;
use crate::rules::hire::MailAddress;
use crate::rules::letter::Letter;
use crate::work;
use crate::work::post::Post;

/// To whom, and by whose mail.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who gets the letter. It holds no code, so any address is good.
    address: String,
    /// The mail settings of this tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Everything but the letter: connects, signs in, asks, and hangs up.
    #[arg(long)]
    dry_run: bool,
}

/// What became of the letter.
#[derive(Debug, Default, Serialize)]
struct Told {
    to: String,
    /// What was done, in order.
    steps: Vec<String>,
    /// Who took the letter says this; none = not taken.
    accepted: Option<String>,
    /// What failed, with the remedy.
    error: Option<String>,
}

/// Sends.
pub async fn test(args: &Args, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    let to = MailAddress::parse(&args.address).map_err(|why| Trouble::Usage(format!("{}: {why}", args.address)))?;
    let mail = mail_of(&settings, args.tenant.as_deref())?;
    let limits = Limits::default();
    let unusable = |error: &dyn std::error::Error| Trouble::Settings(chain(error));
    let lenders = work::clients(&settings, &limits, &Clock::System).map_err(|error| unusable(&error))?;
    let post = Post::new(mail, &limits, &lenders).map_err(|error| unusable(&error))?;
    let mut told = Told { to: to.as_str().to_owned(), ..Told::default() };
    match send(&post, mail, &to, args.dry_run, &mut told.steps).await {
        Ok(accepted) => told.accepted = accepted,
        Err(failure) => told.error = Some(failure.to_string()),
    }
    post.close().await;
    show(&told, out)?;
    Ok(if told.error.is_none() { End::Done } else { End::NeedsAPerson })
}

pub(super) fn mail_of<'a>(settings: &'a Settings, tenant: Option<&str>) -> Result<&'a Mail, Trouble> {
    let Some(name) = tenant else { return Ok(&settings.mail) };
    let tenant = settings.tenant(name);
    tenant.map(|tenant| &tenant.mail).ok_or_else(|| {
        let known: Vec<&str> = settings.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        Trouble::Usage(format!("--tenant {name}: there is no such tenant; write one of {}", known.join(", ")))
    })
}

/// Sends it, and says who took it; with `dry_run` everything but that.
pub(super) async fn send(
    post: &Post,
    mail: &Mail,
    to: &MailAddress,
    dry_run: bool,
    steps: &mut Vec<String>,
) -> Result<Option<String>, MailFailure> {
    let dialled = post.dial_and_tell(to, steps).await?;
    if dry_run {
        dialled.hang_up().await;
        steps.push("hung up: nothing was sent".to_owned());
        return Ok(None);
    }
    let receipt = dialled.send(open::now(), &letter(mail, to)).await?;
    Ok(Some(receipt.reply))
}

/// Says that it is a test; nothing in it is a secret.
fn letter(mail: &Mail, to: &MailAddress) -> Letter {
    let text = "This letter tests the way of firstpass's letters. It holds no code, and nothing has to be done.\n\n\
                Dieser Brief prüft den Weg, den die Briefe von firstpass nehmen. Er enthält keinen Code, und es ist nichts zu tun.\n";
    let html = text.split("\n\n").map(str::trim).collect::<Vec<_>>().join("</p>\n<p>");
    Letter {
        to: to.clone(),
        subject: "Test of firstpass's letters".to_owned(),
        text: Zeroizing::new(text.to_owned()),
        html: Zeroizing::new(format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><body>\n<p>{html}</p>\n</body></html>\n"
        )),
        message_id: format!("test.{}@{}", Uuid::new_v4().simple(), mail.from.address.domain()),
    }
}

fn show(told: &Told, out: Out) -> Result<(), Trouble> {
    if out.is_json() {
        return Ok(out.document(told)?);
    }
    let steps = told.steps.iter().map(|step| format!("ok     {step}"));
    let accepted = told.accepted.iter().map(|reply| format!("ok     accepted for {}: {reply}", told.to));
    let error = told.error.iter().map(|why| format!("FAILED {why}"));
    Ok(out.lines(steps.chain(accepted).chain(error))?)
}
