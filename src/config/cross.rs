//! What must fit together.
