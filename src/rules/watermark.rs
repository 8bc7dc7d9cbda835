//! Which of two watermarks is later: texts of one column of a database.
//!
//! Numbers are compared as numbers; instants of one column are written alike, so that their texts
//! sort as they do (`07:00:00` before `07:00:00.5`).

use std::cmp::Ordering;

/// Whether `a` is later than `b`; an empty text is earlier than any other.
///
/// ```
/// use firstpass::rules::watermark::later;
/// assert!(later("2027-03-01 07:00:00.5", "2027-03-01 07:00:00"));
/// assert!(later("10", "9") && !later("9", "9"));
/// assert!(later("9", ""));
/// ```
pub fn later(a: &str, b: &str) -> bool {
    compare(a, b) == Ordering::Greater
}

fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (_, _) => a.cmp(b),
    }
}
