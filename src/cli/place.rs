//! `TARGET:PATH`: a path on chosen hosts.

use std::str::FromStr;

use crate::fleet::Target;

/// An absolute path on every host of a target.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Whom.
    pub(super) target: Target,
    /// Where; it begins with `/`.
    pub(super) path: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A target may have colons of its own, but no path.
        let at = text.find(":/").ok_or("it is written `TARGET:/PATH`, with an absolute path")?;
        let target = text[..at].parse().map_err(|error: crate::fleet::InvalidTarget| error.to_string())?;
        Ok(Self { target, path: text[at + 1..].to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_begins_at_its_first_slash() {
        let place: Place = "web*;db1:/srv/a:/b".parse().unwrap();
        assert_eq!((place.target.as_str(), place.path.as_str()), ("web*;db1", "/srv/a:/b"));
        assert!("web1:srv".parse::<Place>().is_err() && "/srv".parse::<Place>().is_err());
    }
}
