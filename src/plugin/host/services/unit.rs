//! Names of services, and whether they are granted.

use super::super::{
    Access, Error,
    denial::{denied_entry, invalid, shown},
};
use crate::access::ServiceGrant;

const SERVICE: &str = ".service";
const KINDS: [&str; 11] =
    [SERVICE, ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope", ".device"];

/// A unit of systemd: its name with the ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit(String);

impl Unit {
    /// Reads a name; without an ending it is that of a service.
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte);
        let whole = KINDS.iter().find(|kind| text.ends_with(*kind));
        let name = text.strip_suffix(whole.unwrap_or(&"")).unwrap_or(text);
        if name.is_empty() || text.len() > 200 || name.starts_with(['-', '.', '@']) || !text.bytes().all(letters) {
            return Err(invalid(format!("`{}` is no name of a service", shown(text))));
        }
        Ok(Self(if whole.is_some() { text.to_owned() } else { format!("{text}{SERVICE}") }))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without `.service`.
    pub(super) fn short(&self) -> &str {
        self.0.strip_suffix(SERVICE).unwrap_or(&self.0)
    }

    /// The name of a script or of a service of `OpenRC`: plain, and of a service.
    pub(super) fn plain(&self) -> Option<&str> {
        let short = self.0.strip_suffix(SERVICE)?;
        (!short.contains(['\\', ':', '@'])).then_some(short)
    }

    pub(super) fn may_look(&self, access: &Access) -> bool {
        self.may_change(access) || self.is_in(&access.grant.services_read)
    }

    pub(super) fn may_change(&self, access: &Access) -> bool {
        self.is_in(&access.grant.services)
    }

    fn is_in(&self, grants: &[ServiceGrant]) -> bool {
        grants.iter().any(|grant| grant.covers(self.as_str()) || grant.covers(self.short()))
    }

    pub(super) fn to_look(&self, access: &Access) -> Result<(), Error> {
        let what = format!("look at the service `{}`", self.short());
        if self.may_look(access) {
            Ok(())
        } else {
            Err(denied_entry(&access.module, &what, "services-read", self.short()))
        }
    }

    pub(super) fn to_change(&self, access: &Access) -> Result<(), Error> {
        let what = format!("change the service `{}`", self.short());
        if self.may_change(access) {
            Ok(())
        } else {
            Err(denied_entry(&access.module, &what, "services", self.short()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_an_ending_is_a_service() {
        let name = |text: &str| Unit::new(text).unwrap().as_str().to_owned();
        assert_eq!((name("sshd"), name("sshd.service")), ("sshd.service".to_owned(), "sshd.service".to_owned()));
        assert_eq!(name("backup.timer"), "backup.timer");
        assert_eq!(name("org.example.x"), "org.example.x.service");
        assert_eq!(name("getty@tty1"), "getty@tty1.service");
        assert_eq!(Unit::new("getty@tty1").unwrap().plain(), None);
        assert_eq!(Unit::new("cron").unwrap().plain(), Some("cron"));
    }

    #[test]
    fn what_could_be_an_option_a_path_or_a_pattern_is_none() {
        for text in ["", ".service", "--now", "-a", "a/b", "../x", "a b", "a*", "a\n", "é", "@x", &"x".repeat(300)] {
            assert!(Unit::new(text).is_err(), "{text:?}");
        }
    }
}
