//! A model tenant and a model mail server on this machine, which behave as the documents say, with
//! faults on request. The demonstration and the tests play against them; nothing here is for
//! production use, and nothing here is ever reachable from another machine.

pub mod mailbox;
pub mod tenant;
pub mod tls;
