//! The one definition of every key.
