//! Civil date + wall time + zone → instants.

/// An IANA zone name that the time-zone data knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(String);
