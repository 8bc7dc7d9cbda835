//! Futures that are large and seldom: on the heap, and made in a frame of their own.
//!
//! A future is made on the stack before it is moved, and the frame of whoever polls has room for it from the
//! start, whether it comes to that or not. An idle service polls the same few functions for weeks; without
//! this, the room for everything that they might do stays in its stack.

use std::pin::Pin;

/// The future that `make` makes, on the heap.
#[inline(never)]
pub(crate) fn heap<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}
