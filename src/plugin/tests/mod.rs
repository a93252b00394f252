//! Real components, in WebAssembly text, through the whole of this module.

mod budget;
mod calls;
mod imports;
mod reflection;
