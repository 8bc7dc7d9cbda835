//! Where hires come from: a CSV drop folder, or a query on a database.
//!
//! [`folder`] takes files safely and puts them where they belong; `encoding`, `dialect`, `guarded`,
//! `rows`, `stager` and [`csv`] turn one into staged rows; [`sql`] writes the rows of a query as such a
//! file; [`report`] is what is said about it. Nothing here writes the state, for the
//! edges do not know each other: [`crate::work::intake`] carries the rows to the store.

pub mod csv;
mod dialect;
mod encoding;
pub mod folder;
pub(crate) mod guarded;
pub(crate) mod rows_digest;
pub mod meter;
pub mod report;
mod rows;
pub mod sql;
pub(crate) mod stager;
mod strays;
pub mod tidy;

pub use folder::Eyes;
pub use report::FileReport;
