//! Letters out, by SMTP or as the body of Graph's sendMail.
//!
//! `smtp` speaks with the server, one command at a time, so that everything that can refuse a letter
//! before its pass exists does so first ([`Smtp::dial`]). `message` makes the bytes, [`graph`] the
//! JSON, which `work/post.rs` hands to Graph's own edge. [`failure`] sorts what comes back by what to do next.
//! [`webhook`] hands notices to admins' web services; letters never go there. This room never decides who gets a letter.

mod connection;
pub mod failure;
pub mod graph;
mod message;
mod smtp;
mod stream;
pub mod webhook;

pub use failure::MailFailure;
pub use message::{BadLetter, bytes as eml};
pub use smtp::{Dialled, MailError, Receipt, Smtp};
