//! (being written)
use chrono::{DateTime, Utc};
pub fn slots(_l: &[DateTime<Utc>], _h: usize, _p: u32, _n: DateTime<Utc>) -> usize { 1 }
pub fn next_slot(_l: &[DateTime<Utc>], _h: usize, _p: u32, n: DateTime<Utc>) -> DateTime<Utc> { n }
