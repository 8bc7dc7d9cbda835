//! The words of the letters, as people read them.
