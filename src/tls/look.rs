//! When the files of an identity are read again, and what is said of them.
//!
//! Files of which something could not be used are read again and again, or a revocation would be missed that was there for a
//! passing reason only; but what is wrong is said once of each version of the files and each reason.

use super::Stamp;

/// What looking at the files came to.
#[derive(Debug, Default)]
pub struct Looks {
    /// The files of which everything was used.
    settled: Option<Stamp>,
    complaint: Option<(Stamp, String)>,
}

impl Looks {
    /// Whether files that are like this are to be read.
    pub fn want(&self, stamp: &Stamp) -> bool {
        self.settled.as_ref() != Some(stamp)
    }

    /// Notes what was wrong with them. Answers what is to be said.
    pub fn note(&mut self, stamp: Stamp, wrong: Option<String>) -> Option<&str> {
        let Some(why) = wrong else {
            (self.settled, self.complaint) = (Some(stamp), None);
            return None;
        };
        let new = Some((stamp, why));
        let said = self.complaint == new;
        self.complaint = new;
        self.complaint.as_ref().map(|(_, why)| why.as_str()).filter(|_| !said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::IdentityFiles;

    #[test]
    fn what_is_wrong_is_looked_at_again_and_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let files = IdentityFiles::in_folder(folder.path());
        let stamp = || files.stamp();
        let mut looks = Looks::default();
        assert!(looks.want(&stamp()), "nobody knows what was read at the start");
        assert_eq!(looks.note(stamp(), Some("junk".into())), Some("junk"));
        assert_eq!(looks.note(stamp(), Some("junk".into())), None);
        assert!(looks.want(&stamp()), "the reason may pass");
        assert_eq!(looks.note(stamp(), Some("other".into())), Some("other"));
        assert_eq!(looks.note(stamp(), None), None);
        assert!(!looks.want(&stamp()));
        std::fs::write(&files.revoked, "junk").unwrap();
        assert!(looks.want(&stamp()));
        assert_eq!(looks.note(stamp(), Some("other".into())), Some("other"));
    }
}
