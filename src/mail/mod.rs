//! Letters out, by SMTP.
//!
//! `smtp` speaks with the server, one command at a time, so that everything that can refuse a letter
//! before its pass exists does so first ([`Smtp::dial`]). `message` makes the bytes. [`failure`]
//! sorts what comes back by what to do next. This room never decides who gets a letter.

mod connection;
pub mod failure;
mod message;
mod smtp;
mod stream;

pub use failure::MailFailure;
pub use smtp::{Dialled, MailError, Receipt, Smtp};
