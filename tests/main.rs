//! What Func promises, a file a promise.

mod architecture;
mod command_line;
mod harness;
