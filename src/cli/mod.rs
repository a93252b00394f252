//! The command line, one file a command; the only module that prints.

mod context;
mod exit;
mod failure;
mod render;
mod report;
