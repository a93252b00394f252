//! `funcd`: the minion.

fn main() {}
