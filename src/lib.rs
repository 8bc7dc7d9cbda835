//! firstpass makes a Temporary Access Pass on each hire's start morning and mails it to the manager.

pub mod rules;

pub mod feed;
pub mod store;
pub mod entra;
pub mod mail;

pub mod work;
pub mod cli;
pub mod sandbox;

pub mod clock;
pub mod config;
