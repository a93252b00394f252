//! What the generated bindings call. Not for people.
//!
//! Every exported function begins by calling [`run_ctors_once`]. That makes it the one place that is sure to run
//! before an author's code does, so the panic hook is put in place there.
#![doc(hidden)]

pub use wit_bindgen::rt::*;

/// Prepares the instance: once, before the first method runs.
pub fn run_ctors_once() {
    #[cfg(target_family = "wasm")]
    wit_bindgen::rt::run_ctors_once();
    crate::panic::report_to_host();
}
