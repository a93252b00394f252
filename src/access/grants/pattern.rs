//! Patterns in grants.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

use super::InvalidGrant;

/// The path, or the folders of it before the first that is a pattern.
pub(super) fn fixed_part(text: &str, pattern: bool) -> &Path {
    match text.find(META) {
        Some(meta) if pattern => Path::new(&text[..text[..meta].rfind('/').unwrap_or(0).max(1)]),
        _ => Path::new(text),
    }
}

/// The characters that make a pattern.
pub(super) const META: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// The pattern in `text`, or nothing when it is a plain path: most are, and a plain comparison
/// spares each worker the compilation.
pub(super) fn compile(text: &str) -> Result<Option<GlobMatcher>, InvalidGrant> {
    if !text.contains(META) {
        return Ok(None);
    }
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| Some(glob.compile_matcher())).map_err(|error| InvalidGrant::new(text, error.kind().to_string()))
}
