//! What `firstpass sandbox --serve` adds to the models: a small file that says who is in the tenant and
//! what goes wrong, and what lasts from one start to the next.
//!
//! Reading order: [`mod@file`] (the small file, read and judged), [`faults`] (what goes wrong, as words),
//! [`stage`] (what the file makes of the models), [`changes`] (what another version of it changes),
//! [`people`] (a file made from a feed), [`kept`] (passes that outlive a restart), [`example`] and
//! [`today`] (the texts of a first start). The command is `cli::sandbox::serve`.

pub mod changes;
pub mod example;
pub mod faults;
pub mod file;
pub mod kept;
pub mod people;
pub mod stage;
pub mod today;

pub use file::{BadFile, TenantFile};
