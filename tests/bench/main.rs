//! The tables of `cargo bench`.

fn main() {}
