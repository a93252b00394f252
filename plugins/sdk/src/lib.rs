//! What a Func module is written with.
//!
//! A module is a crate with a WIT file that says what its methods take and give, and an implementation:
//!
//! ```text
//! greeting/wit/greeting.wit        greeting/src/lib.rs
//!
//! package acme:greeting@0.1.0;     use exports::acme::greeting::greeting::Guest;
//!
//! interface greeting {             func_sdk::module!(Greeting);
//!   /// Greets somebody.
//!   hello: func(                   struct Greeting;
//!     name: string                 impl Guest for Greeting {
//!   ) -> string;                       fn hello(name: String) -> String {
//! }                                        format!("Hello, {name}!")
//!                                      }
//! world module {                   }
//!   include minion:host/module@0.1.0;
//!   export greeting;
//! }
//! ```
//!
//! `func module build` makes a component of it. The host's interfaces are the modules [`job`], [`files`], [`command`],
//! [`config`], [`state`], [`processes`],
//! [`services`], [`network`], [`clock`] and [`values`]; [`program`], [`log`], [`table`] and [`size`] build on them.
//! On the machine that builds the crate the host's functions do not exist, so keep what can be tested apart from
//! what calls them: `cargo test` then works as for any crate.
#![warn(missing_docs)]
#![forbid(unsafe_code)]

pub mod checked;
mod error;
pub mod file;
pub mod json;
pub mod log;
pub mod mountinfo;
mod panic;
pub mod pattern;
pub mod program;
pub mod rt;
mod secret;
pub mod sha256;
pub mod size;
pub mod table;
pub mod time;

#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated from the documented WIT in wit/")]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "module",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
        with: { "minion:host/types@0.1.0/secret": crate::Secret },
    });
}

pub use bindings::minion::host::{clock, command, config, files, job, network, processes, services, state, values};
/// Types that the other interfaces share, and that modules use for their own errors.
pub mod types {
    pub use super::bindings::minion::host::types::*;
    pub use crate::secret::Secret;
}
pub use func_sdk_macros::module;
pub use secret::Secret;
pub use types::{Datetime, Error, ErrorKind};
#[doc(hidden)]
pub use wit_bindgen;

/// What a method gives that can fail.
pub type Result<T> = core::result::Result<T, Error>;
