//! A model tenant and a model mail server on this machine, which behave as the documents say, with
//! faults on request. The demonstration and the tests play against them; nothing here is for
//! production use, and nothing here is ever reachable from another machine.
//!
//! [`cast`] and [`story`] are the people and the days of `firstpass sandbox`, [`settings`] what points
//! the real program at the models. Nothing here knows the worker: the command brings both together.

pub mod cast;
pub mod mailbox;
pub mod serve;
pub mod settings;
pub mod story;
pub mod table;
pub mod tenant;
pub mod tls;
