//! `check`: everything that firstpass needs, one line each with the fix.
//!
//! Looks only: it sends no letter (but for `--mail`), and changes nothing in the tenant, a feed or the
//! state. Every part has an end in time, also a folder on a share that hangs. With `--offline` it opens
//! no connection. Reading order: `findings`, `files`, `state`, `tenant`, `mail`, `folder`,
//! `database`, `people`, `person`.

mod advice;
mod database;
mod files;
mod findings;
mod folder;
mod mail;
mod notices;
mod people;
mod person;
mod state;
mod tenant;
mod zones;

pub use findings::Key;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::end::{End, Trouble, chain};
use super::mail_test::mail_of;
use super::open;
use super::out::Out;
use super::progress;
use crate::clock::Clock;
use crate::config::{Feed, FeedKind, Limits, Mail, Settings, Tenant as Served};
use crate::rules::hire::MailAddress;
use crate::store::Store;
use crate::work;
use crate::work::post::Lenders;
use findings::Findings;
use people::Sample;
use person::Asked;

/// What is looked at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look at settings and files only; ask nobody.
    #[arg(long, conflicts_with_all = ["user", "mail"])]
    offline: bool,
    /// Also say for this account (user principal name, object id or employee id) whether it may get a
    /// pass, whom the letter would go to, and why.
    #[arg(long, value_name = "UPN")]
    user: Option<String>,
    /// Whose account, and whose mail settings; needed for --user when there are several tenants.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Also send a test letter without a pass to this address.
    #[arg(long, value_name = "ADDRESS")]
    mail: Option<String>,
    /// So long one answer is waited for, and four times as long for all of a tenant, a feed or the mail
    /// server.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
    within: Duration,
}

/// A part asks several questions; none takes longer than so many of them, for an admin waits.
const ANSWERS: u32 = 4;

/// Looks.
pub async fn check(args: &Args, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = Arc::new(open::settings_quietly(config)?);
    let look = Look::new(args, &settings)?;
    let found = progress::watched("asking Microsoft, the mail server and the feeds", out, look.all(config)).await?;
    found.print(out)?;
    if found.no_tenant_is_usable() {
        return Ok(End::Unusable);
    }
    Ok(if found.any_wrong() { End::NeedsAPerson } else { End::Done })
}

/// What is asked for, and by which clients.
struct Look<'a> {
    settings: &'a Arc<Settings>,
    limits: Limits,
    /// For a whole part.
    part: Duration,
    /// `None`: nobody is asked.
    lenders: Option<Lenders>,
    user: Option<(&'a Served, &'a str)>,
    letter: Option<(&'a Mail, MailAddress)>,
}

impl<'a> Look<'a> {
    fn new(args: &'a Args, settings: &'a Arc<Settings>) -> Result<Self, Trouble> {
        let within = args.within;
        let limits = Limits { graph_connect: within, graph_request: within, smtp_step: within, ..Limits::default() };
        let part = within.saturating_mul(ANSWERS);
        let clients = || work::clients(settings, &limits, &Clock::System);
        let unusable = |error| Trouble::Settings(chain(&error));
        let lenders = if args.offline { None } else { Some(clients().map_err(unusable)?) };
        let tenant = args.tenant.as_deref();
        let mail = mail_of(settings, tenant)?;
        let user = args.user.as_deref().map(|name| Ok::<_, Trouble>((tenant_of(settings, tenant)?, name)));
        let letter = args.mail.as_deref().map(|text| {
            let to = MailAddress::parse(text).map_err(|why| Trouble::Usage(format!("{text}: {why}")))?;
            Ok::<_, Trouble>((mail, to))
        });
        Ok(Self { settings, limits, part, lenders, user: user.transpose()?, letter: letter.transpose()? })
    }

    /// Everything, side by side; told in one order.
    async fn all(&self, config: &Path) -> Result<Findings, Trouble> {
        let mut of_state = Findings::default();
        let readable = state::of_state(self.settings, self.part, &mut of_state).await;
        let store = match &self.lenders {
            Some(_) if readable => self.state().await,
            Some(_) | None => Ok(None),
        };
        let state = store.as_ref().ok().and_then(Option::as_ref);
        let tenants = join_all(self.settings.tenants.iter().map(|tenant| self.of_tenant(tenant)));
        let feeds = join_all(self.settings.feeds.iter().map(|feed| self.of_feed(feed)));
        let (tenants, mail, feeds) = tokio::join!(tenants, self.of_mail(), feeds);

        let mut found = Findings::default();
        files::of_settings(self.settings, config, &mut found);
        let enabled = self.settings.tenants.iter().zip(&tenants).filter(|(tenant, _)| tenant.enabled);
        let no_tenant_is_usable = enabled.clone().all(|(_, (_, usable))| *usable == Some(false));
        found.extend(tenants.into_iter().map(|(found, _)| found).collect());
        if no_tenant_is_usable {
            found.no_tenant();
        }
        found.append(mail);
        let notices = async |found: &mut Findings| notices::of_notices(self.settings, found);
        found.append(self.bounded(Key::Notices, "notices", notices).await);
        files::of_account(self.settings, &mut found);
        found.append(of_state);
        if let Err(why) = &store {
            found.wrong(Key::State, "state", why);
        }
        found.extend(feeds);
        if let Some(store) = state {
            folder::of_stopped_feeds(self.settings, store, &mut found).await;
        }
        zones::of_zones(self.settings, &mut found);
        if let (Some(lenders), Some((served, name))) = (&self.lenders, self.user)
            && let Some(client) = lenders.get(&served.name)
        {
            let asked = Asked { served, client, store: state, name, now: open::now() };
            let what = format!("user {name}");
            found.append(self.bounded(Key::User, &what, async |found| person::of_person(&asked, found).await).await);
        }
        if let (Some(lenders), Some((mail, to))) = (&self.lenders, &self.letter) {
            mail::of_test_letter((mail, to), &self.limits, lenders, &mut found).await?;
        }
        if let Some(store) = state {
            store.close().await;
        }
        Ok(found)
    }

    /// The state as it is, unchanged.
    async fn state(&self) -> Result<Option<Store>, String> {
        match timeout(self.part, Store::open_to_read(&self.settings.state.url)).await {
            Ok(Ok(store)) => Ok(Some(store)),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err(hangs(self.part)),
        }
    }

    /// Also whether its credential can be tried; `None` where that did not show in time.
    async fn of_tenant(&self, tenant: &Served) -> (Findings, Option<bool>) {
        let what = format!("tenant {}", tenant.name);
        let own = tenant.clone();
        let (mut found, usable) = self.apart(Key::Credential, &what, move |found| files::of_tenant(&own, found)).await;
        let client = self.lenders.as_ref().and_then(|lenders| lenders.get(&tenant.name));
        if let (Some(client), Some(true)) = (client, usable) {
            let look = async |found: &mut Findings| tenant::of_tenant(tenant, client, found).await;
            found.append(self.bounded(Key::Token, &what, look).await);
        }
        (found, usable)
    }

    async fn of_mail(&self) -> Findings {
        let settings = Arc::clone(self.settings);
        let (mut found, _) = self.apart(Key::Mail, "mail", move |found| mail::of_mail(&settings, found)).await;
        if let Some(lenders) = &self.lenders {
            let look = async |found: &mut Findings| mail::of_servers(self.settings, &self.limits, lenders, found).await;
            found.append(self.bounded(Key::MailServer, "mail", look).await);
        }
        found
    }

    async fn of_feed(&self, feed: &Feed) -> Findings {
        let what = format!("feed {}", feed.name);
        let (own, settings) = (feed.clone(), Arc::clone(self.settings));
        let (mut found, looked) = self
            .apart(Key::Folder, &what, move |found| match &own.kind {
                FeedKind::Csv => folder::of_drop(&own, &settings, found),
                FeedKind::Sql(sql) => {
                    if !sql.own_folder || own.folder.exists() {
                        folder::of_folder(&own, found);
                    }
                    database::of_settings(&own, sql, found);
                    Sample::of_nothing()
                }
            })
            .await;
        let (Some(lenders), Some(mut sample)) = (&self.lenders, looked) else { return found };
        let Some(tenant) = self.settings.tenant(&feed.tenant) else { return found };
        if let FeedKind::Sql(sql) = &feed.kind {
            sample = database::of_database(feed, sql, &tenant.rules, &mut found).await;
        }
        if let Some(client) = lenders.get(&tenant.name) {
            let look = async |found: &mut Findings| {
                people::of_people(client, &tenant.rules, &feed.name, &sample, found).await;
            };
            found.append(self.bounded(Key::People, &what, look).await);
        }
        found
    }

    /// What is found within the bound, and that it was met.
    async fn bounded(&self, key: Key, what: &str, look: impl AsyncFnOnce(&mut Findings)) -> Findings {
        let mut found = Findings::default();
        if timeout(self.part, look(&mut found)).await.is_err() {
            found.wrong(key, what, hangs(self.part));
        }
        found
    }

    /// Looks on a thread of its own, because calls into a folder may never come back.
    async fn apart<T: Send + 'static>(
        &self,
        key: Key,
        what: &str,
        look: impl FnOnce(&mut Findings) -> T + Send + 'static,
    ) -> (Findings, Option<T>) {
        let work = spawn_blocking(move || {
            let mut found = Findings::default();
            let looked = look(&mut found);
            (found, looked)
        });
        if let Ok(Ok((found, looked))) = timeout(self.part, work).await {
            return (found, Some(looked));
        }
        let mut found = Findings::default();
        found.wrong(key, what, hangs(self.part));
        (found, None)
    }
}

/// Whose account `--user` means.
fn tenant_of<'a>(settings: &'a Settings, named: Option<&str>) -> Result<&'a Served, Trouble> {
    let served: Vec<&Served> = settings.tenants.iter().filter(|tenant| tenant.enabled).collect();
    let known = || served.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>().join(", ");
    match (named, served.as_slice()) {
        (Some(name), _) => served.iter().find(|tenant| tenant.name == name).copied().ok_or_else(|| {
            Trouble::Usage(format!("--tenant {name}: no such tenant is served; write one of {}", known()))
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(Trouble::Usage(format!("--user: whose account? Add --tenant with one of {}", known()))),
    }
}

fn hangs(part: Duration) -> String {
    format!(
        "no end within {}: see whether the disk, share or server that is asked here hangs",
        humantime::format_duration(part)
    )
}
