//! `check`, of letters: the way they take as the settings have it, then the way itself.
//!
//! The mail server is asked up to MAIL FROM and then reset: no recipient is named, nothing is sent.
//! Graph is asked for a token only, since what proves the right to send is a POST. `--mail` sends one
//! test letter, as `mail test` does.

use std::collections::BTreeSet;

use super::files::{of_certificates, of_secret};
use super::findings::{Findings, Key};
use crate::cli::end::{Trouble, chain};
use crate::cli::mail_test;
use crate::config::letters;
use crate::config::{Auth, Limits, Mail, Settings, Smtp, Tls, Via};
use crate::rules::hire::MailAddress;
use crate::work::post::{Lenders, Post};

pub(super) fn of_mail(settings: &Settings, found: &mut Findings) {
    of_way("mail", &settings.mail, found);
    for tenant in settings.tenants.iter().filter(|tenant| tenant.enabled && tenant.mail.via != settings.mail.via) {
        of_way(&format!("mail of tenant {}", tenant.name), &tenant.mail, found);
    }
    let mut seen = BTreeSet::new();
    let own = settings.tenants.iter().filter(|tenant| tenant.enabled).map(|tenant| &tenant.mail);
    for mail in std::iter::once(&settings.mail).chain(own) {
        if seen.insert((mail.templates.clone(), mail.language.clone())) {
            of_letters(mail, found);
        }
    }
}

/// The folder of an admin's own letters.
fn of_letters(mail: &Mail, found: &mut Findings) {
    let Some(folder) = &mail.templates else { return };
    match letters::letters(mail) {
        Ok(letters) if letters.warnings().is_empty() => {
            found.ok(Key::Letters, "letters", format!("those in {} can be written", folder.display()));
        }
        Ok(letters) => {
            letters
                .warnings()
                .iter()
                .for_each(|unwise| found.note(Key::Letters, "letters", letters::sentence(mail, unwise)));
        }
        Err(error) => {
            for problem in &error.problems {
                found.wrong(Key::Letters, "letters", problem.to_string());
            }
        }
    }
}

fn of_way(what: &str, mail: &Mail, found: &mut Findings) {
    match &mail.via {
        Via::Smtp(smtp) => of_smtp(what, smtp, found),
        Via::Graph { tenant } => found.ok(Key::Mail,
            what,
            format!(
                "Microsoft Graph sends as {} with the credential of tenant {tenant}; give the app \"Application Mail.Send\" in Exchange Online for this mailbox alone, and no Mail.Send in Entra, which would be for every mailbox",
                mail.from.address.as_str()
            ),
        ),
    }
}

/// Servers that take passwords no longer, or soon not.
fn ends_passwords(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.ends_with(".office365.com") || host.ends_with(".office365.us") || host.ends_with(".outlook.com")
}

fn of_smtp(what: &str, smtp: &Smtp, found: &mut Findings) {
    match &smtp.auth {
        Auth::None => {
            found.note(Key::Mail, what, format!("no login at {}: the server must take our letters without one", smtp.host));
        }
        Auth::Password => {
            if let Some(file) = &smtp.password_file {
                of_secret(what, file, found);
            }
            if ends_passwords(&smtp.host) {
                found.note(Key::Mail, what, format!("{} ends logins with a password (December 2026 for most tenants); write mail.smtp.auth = \"xoauth2\" or mail.via = \"graph\"", smtp.host));
            }
        }
        Auth::Xoauth2 { tenant } => found.ok(Key::Mail, what, format!("signs in at {} as {} with a token of tenant {tenant}; the app needs SMTP.SendAsApp for this mailbox, and SMTP AUTH must be on for it", smtp.host, smtp.username)),
    }
    of_certificates(what, smtp.ca_file.as_deref(), found);
    match smtp.tls {
        Tls::Starttls | Tls::Implicit => {}
        Tls::None => {
            found.note(
                Key::Mail,
                what,
                format!("letters go to {} in the clear, which is for tests on one machine", smtp.host),
            );
        }
    }
}

/// Asks every way there is.
pub(super) async fn of_servers(settings: &Settings, limits: &Limits, lenders: &Lenders, found: &mut Findings) {
    of_server("mail", &settings.mail, limits, lenders, found).await;
    let common = (&settings.mail.via, &settings.mail.from);
    for tenant in settings.tenants.iter().filter(|tenant| tenant.enabled) {
        if (&tenant.mail.via, &tenant.mail.from) != common {
            of_server(&format!("mail of tenant {}", tenant.name), &tenant.mail, limits, lenders, found).await;
        }
    }
}

async fn of_server(what: &str, mail: &Mail, limits: &Limits, lenders: &Lenders, found: &mut Findings) {
    let post = match Post::new(mail, limits, lenders) {
        Ok(post) => post,
        Err(error) => return found.wrong(Key::MailServer, what, chain(&error)),
    };
    let mut told = Vec::new();
    match post.look(&mut told).await {
        Ok(()) => found.ok(Key::MailServer, what, format!("{}; nothing was sent", told.join("; "))),
        Err(failure) => found.wrong(Key::MailServer, what, failure.to_string()),
    }
    match &post {
        Post::Smtp(..) => {}
        Post::Graph(_) => found.note(
            Key::MailServer,
            what,
            format!(
                "no token shows which mailboxes Exchange Online lets an app send as; `firstpass check --mail ADDRESS` sends a letter without a pass as {}",
                mail.from.address.as_str()
            ),
        ),
    }
}

/// `--mail ADDRESS`.
pub(super) async fn of_test_letter(
    (mail, to): (&Mail, &MailAddress),
    limits: &Limits,
    lenders: &Lenders,
    found: &mut Findings,
) -> Result<(), Trouble> {
    let what = format!("test letter to {}", to.as_str());
    let post = Post::new(mail, limits, lenders).map_err(|error| Trouble::Settings(chain(&error)))?;
    match mail_test::send(&post, mail, to, false, &mut Vec::new()).await {
        Ok(reply) => {
            let reply = reply.unwrap_or_default();
            found.ok(Key::TestLetter, what, format!("accepted ({reply}); look into the mailbox, and into its spam"));
        }
        Err(failure) => found.wrong(Key::TestLetter, what, failure.to_string()),
    }
    post.close().await;
    Ok(())
}
