//! Instants as a manager reads them: where the hire is, with the weekday and the zone.

use chrono::{DateTime, NaiveDate, Utc};

use crate::rules::calendar::{self, Zone};

/// `2027-03-01`, where the hire is.
pub(super) fn day(at: DateTime<Utc>, zone: &Zone) -> String {
    calendar::local_text(at, zone).chars().take_while(|c| !c.is_whitespace()).collect()
}

/// `Monday, 2027-03-01 09:00 Europe/Berlin`.
pub(super) fn moment(at: DateTime<Utc>, zone: &Zone) -> String {
    let text = calendar::local_text(at, zone);
    match NaiveDate::parse_from_str(&day(at, zone), "%Y-%m-%d") {
        Ok(date) => format!("{}, {text}", date.format("%A")),
        Err(_) => text,
    }
}
