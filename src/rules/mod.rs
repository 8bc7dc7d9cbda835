//! Pure rules: facts and a time in, a decision out.
//!
//! No tokio, sqlx, reqwest, SMTP, figment, clap and no `std::{fs, env, net, time::SystemTime}` here.
//! Reading order: [`hire`], [`record`], [`flaw`], [`dates`], [`status`], [`calendar`], [`places`], [`intake`],
//! [`next`], [`guard`], [`channel`], [`attempt`], [`letter`], [`unsettled`], [`permission`], [`registration`],
//! [`verdict`], [`rhythm`], [`notice`].

pub mod hire;
pub mod headers;
pub mod record;
pub mod flaw;
pub mod dates;
pub mod status;
pub mod calendar;
pub mod places;
pub mod intake;
pub mod staged;
pub mod guard;
pub mod channel;
pub mod attempt;
pub mod letter;
pub mod pace;
pub mod next;
pub mod notice;
pub mod rhythm;
pub mod permission;
pub mod registration;
pub mod unsettled;
pub mod verdict;
pub mod watermark;
pub mod words;
