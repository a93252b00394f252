//! Modules for tests: those that ship, and those that misbehave.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use func::author::{self, BuildRequest, Quiet, Shipped};

/// The shipped modules, built once for all tests.
pub fn shipped_modules() -> &'static Shipped {
    static SHIPPED: LazyLock<Shipped> =
        LazyLock::new(|| author::shipped_modules(&Quiet).unwrap_or_else(|error| panic!("{error}")));
    &SHIPPED
}

/// The component of a test guest (`rogue`, `kinds`, `wants-more`), built once for all tests.
pub fn guest(name: &str) -> PathBuf {
    static GUESTS: LazyLock<Vec<author::Built>> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let request = BuildRequest {
            crate_dir: root.join("tests/guests"),
            out_dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests"),
            toolchain: None,
        };
        let inputs = [root.join("wit"), root.join("plugins/sdk")];
        author::build_if_changed(&request, &inputs, &Quiet).unwrap_or_else(|error| panic!("{error}"))
    });
    let built = GUESTS.iter().find(|built| built.name == name);
    built.unwrap_or_else(|| panic!("tests/guests has no `{name}`")).path.clone()
}
