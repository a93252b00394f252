//! The tools of module authors: from a project to a component that a minion takes.
//!
//! ```text
//! Cargo.toml  ──▶ toolchain ──▶ cargo build ──┐
//! module.toml ──▶ componentize-py, -qjs ──────┴─▶ component ──▶ its WIT read and compared ──▶ docs and metadata packed in
//!                                                                                         ──▶ renamed into place
//! ```
//!
//! # What is packed into a component
//! Documentation comments do not survive compilation, so the whole WIT package travels along: the last top-level custom
//! section, named [`DOCS_SECTION`](crate::plugin::DOCS_SECTION), holds the package as `wit-component` encodes it, documentation
//! included. `wit_parser::decoding::decode` reads it. WIT has no documentation for parameters; by our convention lines
//! of the form ``- `name`: text`` in a function's documentation describe them. Name (section `component-name`),
//! `version`, `description` and `licenses` come from Cargo.toml or module.toml, in the form that `wasm-tools metadata` shows. What the
//! module asks for, from there as well, is in [`MANIFEST_SECTION`](crate::plugin::MANIFEST_SECTION).
//!
//! This module runs programs (cargo, rustup, apt-get, componentize-py, componentize-qjs) and prints nothing: whoever calls it passes a [`Progress`].

mod artifact;
mod build;
mod cargo;
mod cached;
mod cases;
mod check;
mod componentizer;
mod error;
mod inspect;
mod language;
mod markdown;
mod module_toml;
mod name;
mod new;
mod pack;
mod private_toolchain;
mod progress;
mod project;
mod sdk;
mod shipped;
mod sign;
mod signature;
mod toolchain;
mod uses;
mod wit_package;

pub use artifact::{Artifact, default_output};
pub use build::{BuildRequest, Built, build};
pub use cached::build_if_changed;
pub use cases::{Case, CaseReport, Difference, Expect, ExpectedError, case_files};
pub use check::{Finding, Severity, check};
pub use error::Error;
pub use inspect::{Inspection, MethodSheet, ModuleSheet, ParameterSheet};
pub use language::{Language, UnknownLanguage};
pub use name::{InvalidName, ProjectName};
pub use new::NewProject;
pub use progress::{Progress, Quiet, Step};
pub use project::project_folder;
pub use sdk::update_sdk;
pub use shipped::{SHIPPED_GRANTS, Shipped, shipped_modules, shipped_modules_from};
pub use sign::{SigningKey, public_path, signature_path};
pub use uses::Use;
