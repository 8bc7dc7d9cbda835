//! The worker: one idempotent [`tick`] that moves every due hire on, and the service around it.
//!
//! Reading order: [`onboard`] (one hire, the heart), [`check`], [`settle`], [`send`], [`post`],
//! [`in_hand`], [`tick`], [`service`]; beside them [`tell`], what admins are told. Nothing here waits for anything but an answer: a step ends in seconds or
//! goes back to the tick with a time.

mod attempt;
mod beside;
mod complaints;
mod credentials;
pub mod check;
pub mod counted;
pub mod feeds;
pub mod in_hand;
pub mod intake;
mod listed;
mod looks;
pub mod onboard;
pub mod send;
pub mod post;
pub mod pulse;
pub mod ready;
mod reload;
mod replan;
pub mod service;
pub mod settle;
pub mod standing;
mod stays;
pub mod tell;
pub mod tick;
mod void;
mod wording;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chrono::{DateTime, Utc};
use tracing::warn;
use uuid::Uuid;

pub use self::attempt::CLOCK_TOLERANCE;
use self::post::{Lenders, Post, PostError};
use self::pulse::Pulse;
use crate::clock::Clock;
use crate::config::{self, Limits, Settings, SettingsError, TenantRules};
use crate::counts::Counts;
use crate::entra;
use crate::feed::Eyes;
use crate::rules::letter::Letters;
use crate::store::{Gate, Store};

/// The gate of the mail server.
const MAIL: &str = "mail";

/// Everything that one worker has: the edges, the rules, and what it holds in memory.
pub struct Work {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// The state database.
    pub store: Store,
    /// Where `now` comes from.
    pub clock: Clock,
    /// What happened since it was made.
    pub counts: Counts,
    /// Whether the loops of the service move.
    pub pulse: Arc<Pulse>,
    limits: Limits,
    tenants: BTreeMap<String, Served>,
    /// This process, in leases.
    worker: Uuid,
    in_hand: tokio::sync::Mutex<Vec<in_hand::InHand>>,
    eyes: tokio::sync::Mutex<BTreeMap<String, Eyes>>,
    slots: Mutex<Slots>,
    gates: Mutex<BTreeMap<String, Gate>>,
    /// Per tenant and what was asked, the hire last refused with 403, until that succeeds.
    refused: Mutex<BTreeMap<(String, attempt::Asked), i64>>,
    /// Tenants that are stopped because they refused passes, until one makes one.
    makes_none: Mutex<BTreeSet<String>>,
    /// When it was last looked whether instants must be made anew, and the zone data in force then.
    replanned: Mutex<Option<(DateTime<Utc>, String)>>,
    /// When certificates were last looked at.
    certificates_seen: Mutex<Option<DateTime<Utc>>>,
    /// When Graph last said, to a feed, that this host's clock is right: by the wall, and by real time.
    clock_right: Mutex<Option<(DateTime<Utc>, Instant)>>,
    stopping: AtomicBool,
    /// What the log was told and still stands.
    complaints: complaints::Complaints,
    /// What was found outside, by the gates.
    looks: Mutex<BTreeMap<String, looks::Look>>,
    /// One look at a time.
    looking: tokio::sync::Mutex<()>,
    /// What the state said when somebody last asked whether it is ready.
    state_said: tokio::sync::Mutex<Option<ready::StateSaid>>,
    /// While it stops: no last try for a letter goes on for longer.
    last_tries_until: Mutex<Option<Instant>>,
}

/// One tenant with its client and its rules.
struct Served {
    client: Arc<entra::Tenant>,
    rules: TenantRules,
    mail: config::Mail,
    letters: Arc<Letters>,
    post: Post,
    /// What stops its letters: `mail`, or `mail/NAME` when it has a way or sender of its own.
    mail_gate: String,
}

/// How many letters may still go out this minute.
#[derive(Debug, Default)]
struct Slots {
    left: usize,
    next: Option<DateTime<Utc>>,
}

/// A worker that cannot be built from its settings.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A tenant's client.
    #[error("tenant {name}")]
    Tenant {
        /// Its name in the settings.
        name: String,
        /// Why.
        #[source]
        source: entra::EntraError,
    },
    /// The way for letters.
    #[error("mail")]
    Mail(#[from] PostError),
    /// An admin's own letters.
    #[error(transparent)]
    Letters(#[from] SettingsError),
}

impl Work {
    /// Builds the worker; opens no connection.
    ///
    /// # Errors
    /// [`WorkError`] when a client cannot be built from the settings.
    pub fn new(settings: Arc<Settings>, limits: Limits, store: Store, clock: Clock) -> Result<Self, WorkError> {
        Self::counting(settings, limits, store, clock, Counts::default())
    }

    /// [`Self::new`]; it goes on with these counts.
    fn counting(
        settings: Arc<Settings>,
        limits: Limits,
        store: Store,
        clock: Clock,
        counts: Counts,
    ) -> Result<Self, WorkError> {
        counted::expect(&counts, &settings);
        let tenants = served(&settings, &limits, &clock, &counts)?;
        Ok(Self {
            settings,
            store,
            clock,
            counts,
            pulse: Arc::new(Pulse::new(limits.hung, limits.state_away)),
            limits,
            tenants,
            worker: Uuid::new_v4(),
            in_hand: tokio::sync::Mutex::default(),
            eyes: tokio::sync::Mutex::default(),
            slots: Mutex::default(),
            gates: Mutex::default(),
            refused: Mutex::default(),
            makes_none: Mutex::default(),
            replanned: Mutex::default(),
            certificates_seen: Mutex::default(),
            clock_right: Mutex::default(),
            stopping: AtomicBool::new(false),
            complaints: complaints::Complaints::default(),
            looks: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            state_said: tokio::sync::Mutex::default(),
            last_tries_until: Mutex::default(),
        })
    }

    /// Takes one letter's place in this minute, or says when there is one again.
    fn take_slot(&self) -> Result<(), Option<DateTime<Utc>>> {
        let mut slots = lock(&self.slots);
        match slots.left.checked_sub(1) {
            Some(left) => {
                slots.left = left;
                Ok(())
            }
            None => Err(slots.next),
        }
    }

    /// Gives a place back that no letter needed.
    fn give_slot_back(&self) {
        lock(&self.slots).left += 1;
    }

    fn has_slots(&self) -> bool {
        lock(&self.slots).left > 0
    }

    /// Whether this tenant's hires are worked on; one that is gone or disabled waits for nobody.
    pub fn serves(&self, tenant: &str) -> bool {
        self.tenants.contains_key(tenant)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// From here on no hire is claimed.
    fn claim_no_more(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

/// Whether a worker could be built from these settings: what a start and a reload ask of them, but for
/// the state. Opens no connection.
///
/// # Errors
/// As [`Work::new`].
pub fn could_serve(settings: &Settings, limits: &Limits) -> Result<(), WorkError> {
    served(settings, limits, &Clock::System, &Counts::default()).map(|_| ())
}

/// Each tenant that is served, with its client, its way for letters and the letters.
fn served(
    settings: &Settings,
    limits: &Limits,
    clock: &Clock,
    counts: &Counts,
) -> Result<BTreeMap<String, Served>, WorkError> {
    let clients = clients_counted(settings, limits, clock, counts)?;
    let common = Post::new(&settings.mail, limits, &clients)?;
    let common_letters = Arc::new(letters(&settings.mail)?);
    let mut tenants = BTreeMap::new();
    for tenant in &settings.tenants {
        let Some(client) = clients.get(&tenant.name).cloned() else { continue };
        let mail = tenant.mail.clone();
        let post = if mail == settings.mail { common.clone() } else { Post::new(&mail, limits, &clients)? };
        let same = (&mail.templates, &mail.language) == (&settings.mail.templates, &settings.mail.language);
        let letters = if same { Arc::clone(&common_letters) } else { Arc::new(letters(&mail)?) };
        let mail_gate = mail_gate(tenant, &settings.mail);
        let rules = tenant.rules.clone();
        tenants.insert(tenant.name.clone(), Served { client, rules, mail, letters, post, mail_gate });
    }
    Ok(tenants)
}

/// A client for each tenant that is served.
///
/// # Errors
/// [`WorkError::Tenant`] when one cannot be built from its settings.
pub fn clients(settings: &Settings, limits: &Limits, clock: &Clock) -> Result<Lenders, WorkError> {
    clients_counted(settings, limits, clock, &Counts::default())
}

fn clients_counted(settings: &Settings, limits: &Limits, clock: &Clock, counts: &Counts) -> Result<Lenders, WorkError> {
    let enabled = settings.tenants.iter().filter(|tenant| tenant.enabled);
    let made = enabled.map(|tenant| {
        let client = entra::Tenant::counted(tenant, limits, clock.clone(), counts.clone())
            .map_err(|source| WorkError::Tenant { name: tenant.name.clone(), source })?;
        Ok((tenant.name.clone(), Arc::new(client)))
    });
    made.collect()
}

/// The letters of these settings; what is unwise about them is told.
fn letters(mail: &config::Mail) -> Result<Letters, SettingsError> {
    let letters = config::letters::letters(mail)?;
    for unwise in letters.warnings() {
        warn!(event = "letters-odd", "{}", config::letters::sentence(mail, unwise));
    }
    Ok(letters)
}

/// Tenants with one way and sender stop together; the others not.
fn mail_gate(tenant: &config::Tenant, common: &config::Mail) -> String {
    if tenant.mail.via == common.via && tenant.mail.from == common.from {
        MAIL.to_owned()
    } else {
        format!("{MAIL}/{}", tenant.name)
    }
}

/// A lock whose holder panicked still guards plain data.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
