//! Real components, in WebAssembly text, through the whole of this module.

mod calls;
mod imports;
mod reflection;
