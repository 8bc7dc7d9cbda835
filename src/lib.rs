//! firstpass makes a Temporary Access Pass on each hire's start morning and mails it to the manager.
//!
//! # The story of one hire, in reading order
//!
//! 1. HR drops a file. [`feed`] opens it without following links and reads it as it came, row by
//!    row; [`rules::record`] turns a row into a hire or into a reject with its line and remedy.
//! 2. [`rules::intake`] compares it with what is known: added, moved, withdrawn, the same, past.
//!    Too many changes at once are held whole. [`store`] takes the file in one transaction.
//! 3. [`rules::calendar`] keeps the civil day, the wall time and the zone, and computes the instants:
//!    when the pass is sent, when it becomes usable.
//! 4. [`work::tick`] asks the state what is due. [`rules::next`] says what a due hire needs.
//! 5. `work/onboard.rs` takes it through one attempt: settle, check, dial, intend, issue, send.
//!    **Read that file first**, then [`rules::attempt`], whose values make its steps unskippable.
//! 6. [`rules::guard`] and [`rules::channel`] say whether this account may get a pass and where its
//!    manager may be told; [`entra`] asks Microsoft Graph for the facts and for the pass.
//! 7. [`rules::letter`] writes the letter, [`mail`] hands it over. The code is in memory only.
//! 8. `work/settle.rs` ends whatever did not go that way: lost answers, moves, withdrawals, crashes.
//! 9. [`serve`] says how the running service is: alive, ready, its figures.
//! 10. [`work::tell`] tells admins what cannot wait, and once a day how everything stands.
//! 11. [`cli`] shows it all; [`sandbox`] plays it with a model tenant and a model mail server.
//!
//! # What must never be
//!
//! - Two live passes of ours for one person, or a POST repeated before the directory was looked at.
//! - A pass for somebody, or a letter to an address, that the rules do not allow at that moment.
//! - A code, token or password in a file, a log, a message of ours, a metric or an argument. The one
//!   exception is the letter.
//! - A wait inside an attempt, a transaction open across the network, a clock read outside [`clock`].
//! - An accepted row that disappears without a state, or a rejected one without a file.
//!
//! Arrows between rooms run one way: `main → cli → {sandbox, serve, work} → {feed, store, entra, mail} →
//! rules`, and the four edges do not know each other. A test reads the paths and fails when one is
//! turned round. Why things are as they are: [`decisions`].

pub mod rules;

pub mod feed;
pub mod store;
pub mod entra;
pub mod mail;

pub mod work;
pub mod serve;
pub mod cli;
pub mod sandbox;

pub mod clock;
pub mod config;
pub mod counts;
mod heap;

#[doc = include_str!("decisions.md")]
pub mod decisions {}
