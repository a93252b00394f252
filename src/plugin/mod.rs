//! WASM components as modules: typed, sandboxed, replaced while the minion runs.
//!
//! ```text
//! file ──check──▶ component ──compile, cache──▶ .cwasm ──load, link──▶ Plugin ──reflect──▶ Module, Method
//!                                                                        │
//!                     arguments ──lower──▶ fresh store, instance, function ──lift──▶ result
//!                                                      │
//!                                     host functions: grants checked at each call
//! ```
//!
//! * A **plugin** is a component file; a **module** is an interface it exports, found by reflection;
//!   the interface's functions are the **methods**.
//! * Every call gets a new store and every bound there is: memory, time, output. Whatever happens in
//!   it, the minion serves on.
//! * A module touches the machine only through `minion:host`, and only where the operator's grants
//!   allow it.
//! * The daemon compiles; workers load what it compiled. Both use the same settings for the code.
//!
//! This module knows nothing of jobs or of the network: what a call logs goes to its
//! [`Events`], and what becomes of plugin files to the registry's sink.

mod budget;
mod bytes_path;
mod cache;
mod call;
mod call_error;
mod check;
mod context;
mod data;
mod engine;
mod error;
mod examine;
mod failure;
mod host;
mod last_words;
mod link;
mod load;
mod manifest;
mod mask;
mod mediator;
mod metadata;
mod module;
mod output;
mod plan;
mod recording;
mod reflect;
mod registry;
mod secrecy;
mod signature;
mod state;
mod tape;
mod ticker;
mod type_docs;
mod type_names;
mod values;
mod wit_binary;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use budget::{Budget, Denial};
pub use cache::Cache;
pub use call::{Called, check_arguments};
pub use call_error::CallError;
pub use check::modules_in;
pub use context::{CallContext, Clock, Events, Level, Limits, Mode, NoEvents};
pub use engine::Engine;
pub use error::{Cause, Error};
pub use examine::{Examined, Import, examine};
pub use host::{FileError, FileFacts, HostFiles, LeftOut, Manner, Tree};
pub use load::Plugin;
pub use manifest::{MANIFEST_SECTION, Manifest, Right};
pub use mediator::Trail;
pub use metadata::{DOCS_SECTION, Docs, FunctionDocs, InterfaceDocs, Metadata};
pub use module::{Method, Module, Param, RESERVED};
pub use plan::{Contents, Effect, Plan, Step};
pub use recording::{Injection, RecordedCall, RecordedError, Recording, Replay, Replayed};
pub use registry::{
    Catalog, LoadEvent, LoadFailure, LoadSink, NoSink, NotServed, Registry, RegistryConfig, Served, Target, Unknown,
    similar,
};
pub use type_docs::{PartDocs, TypeDocs};
pub use type_names::named;
pub use wit_binary::{InvalidWit, decode_wit};
