//! What a test does when this machine lacks something that it needs.

use std::io::Write as _;

/// Set where nothing may be missing: a test that would be skipped fails.
const NO_SKIP: &str = "FUNC_TESTS_NO_SKIP";

/// Says that `test` is not run here and why; the caller then returns.
///
/// Standard error is written to directly: what goes through `eprintln!` is swallowed when a test passes.
#[track_caller]
pub(crate) fn skip(test: &str, why: &str) {
    assert!(std::env::var_os(NO_SKIP).is_none_or(|value| value.is_empty()), "{test} must run here, but {why}");
    cannot(test, why);
}

/// The same where nobody can help it: the kernel, or the container, does not let it happen.
pub(crate) fn cannot(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}
