//! One letter as the bytes of a message.
