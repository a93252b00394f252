//! What came of fetching a folder from one host, and what did not come.

use super::Outcome;
use crate::wire::{RemoteError, Value};

/// So many of what is missing are named; the others are counted.
const NAMED: usize = 20;

/// What was fetched, and what was left out.
#[derive(Debug, Default)]
pub(super) struct Haul {
    files: i64,
    bytes: u64,
    left_out: Vec<LeftOut>,
}

/// Something that was not fetched.
#[derive(Debug)]
pub(super) struct LeftOut {
    /// Its path from the folder.
    pub(super) path: String,
    /// Why not.
    pub(super) why: String,
    /// Whether it should have been.
    pub(super) missing: bool,
}

impl Haul {
    /// A file of so many bytes is here.
    pub(super) fn landed(&mut self, bytes: u64) {
        (self.files, self.bytes) = (self.files + 1, self.bytes + bytes);
    }

    pub(super) fn leave_out(&mut self, left_out: LeftOut) {
        self.left_out.push(left_out);
    }

    /// A failure if anything is missing.
    pub(super) fn outcome(self) -> Outcome {
        let missing: Vec<_> = self.left_out.iter().filter(|left_out| left_out.missing).collect();
        if missing.is_empty() {
            return Outcome::Ok(self.value());
        }
        let line = |left_out: &&LeftOut| format!("\n`{}`: {}", left_out.path, left_out.why);
        let named: String = missing.iter().take(NAMED).map(line).collect();
        let more = missing.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!("\nand {more} more") };
        let (count, files, bytes) = (missing.len(), self.files, self.bytes);
        let message =
            format!("{count} could not be fetched; the other {files} files, {bytes} bytes, are here{named}{more}");
        Outcome::Failed(RemoteError::new("Incomplete", message))
    }

    fn value(self) -> Value {
        let bytes = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        let mut members = vec![("files", Value::Int(self.files)), ("bytes", Value::Int(bytes))];
        if !self.left_out.is_empty() {
            let left_out = self.left_out.iter().map(|it| (it.path.as_str(), Value::from(it.why.as_str())));
            members.push(("left_out", Value::structure(left_out)));
        }
        Value::structure(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(path: &str, missing: bool) -> LeftOut {
        LeftOut { path: path.to_owned(), why: "why".to_owned(), missing }
    }

    #[test]
    fn what_is_no_file_is_told_and_what_is_missing_is_a_failure() {
        let mut haul = Haul::default();
        haul.landed(3);
        assert_eq!(haul.value().to_json(), serde_json::json!({ "files": 1, "bytes": 3 }));
        let mut haul = Haul::default();
        haul.leave_out(left_out("link", false));
        let Outcome::Ok(value) = haul.outcome() else { panic!("nothing is missing") };
        assert_eq!(value.to_json()["left_out"], serde_json::json!({ "link": "why" }));
        let mut haul = Haul::default();
        for number in 0..=NAMED {
            haul.leave_out(left_out(&number.to_string(), true));
        }
        let Outcome::Failed(error) = haul.outcome() else { panic!("21 are missing") };
        assert!(error.message.starts_with("21 could not be fetched; the other 0 files") && error.kind == "Incomplete");
        assert!(error.message.contains("\n`19`: why\nand 1 more"), "{}", error.message);
    }
}
