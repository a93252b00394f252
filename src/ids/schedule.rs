//! Names of schedules.

use std::str::FromStr;

use super::{InvalidId, text::text_id};

/// The name of a schedule: 1 to 64 letters, digits, `-`, `_` and `.`, not beginning with `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleName(String);

text_id!(ScheduleName);

impl FromStr for ScheduleName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = |why| Err(InvalidId::new("name of a schedule", text, why));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=64).contains(&text.len()) || !text.bytes().all(allowed) {
            return refuse("it has 1 to 64 letters, digits, `-`, `_` and `.`");
        }
        if text.starts_with('-') {
            return refuse("it must not begin with a hyphen");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["nightly", "a", "disk.check_2-x", &"x".repeat(64)] {
            assert_eq!(text.parse::<ScheduleName>().unwrap().as_str(), text);
        }
        for text in ["", "-a", "a b", "a/b", "a\0", "é", &"x".repeat(65)] {
            assert!(text.parse::<ScheduleName>().is_err(), "{text:?}");
        }
    }
}
