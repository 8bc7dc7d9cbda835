//! Text → value.
