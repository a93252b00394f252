//! Certificates in place of those that end.
//!
//! A minion that is called directly has shown in the handshake that it is the one that asks. Of one that is reached through
//! others it is not known who answered, and whoever passes calls on could put a request of its own in the place of the
//! minion's. So the minion vouches for its request with the key that it has.

use jiff::Timestamp;

use super::{Address, Authority, Error, IssueRequest, SigningRequest, audit};
use crate::tls::{self, Role};

impl Authority {
    /// Makes sure that the machine itself asks: that behind the request stands its word for it, by a certificate of this
    /// name that was issued here and is believed.
    pub fn check_own_word(&self, text: &[u8], request: &SigningRequest) -> Result<(), Error> {
        let not_its_own = || Error::NotVouched { name: request.name().clone() };
        let peer = tls::vouched(text, request.der()).ok_or_else(not_its_own)?;
        let (issued, revoked, now) = (self.issued()?, self.revoked()?, Timestamp::now());
        let is_its_own = issued.iter().any(|entry| {
            entry.fingerprint == peer.fingerprint
                && entry.name == *request.name()
                && matches!(entry.role, Role::Minion | Role::SubOverlord)
                && entry.not_after > now
                && !revoked.contains(&entry.serial)
                && self.is_believed(entry)
        });
        if is_its_own { Ok(()) } else { Err(not_its_own()) }
    }

    /// Signs for a host that has proven who it is by the certificate that it has; in PEM form.
    pub fn renew(
        &self,
        request: &SigningRequest,
        role: Role,
        addresses: &[Address],
        days: u32,
    ) -> Result<String, Error> {
        let mut wanted = IssueRequest::new(request.name().clone(), role);
        wanted.addresses = addresses.to_vec();
        wanted.days = days.min(self.days_left());
        let (certificate, entry) = self.sign_key(&wanted, request.public_key())?;
        let change = audit::Change::new(audit::Event::Renewed).of(request.name()).serial(&entry.serial);
        self.record(std::slice::from_ref(&entry), &[change.key(request.key())])?;
        Ok(self.handed_out(&certificate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ca::Issued, tls::vouched};

    fn issue(authority: &Authority, name: &str, role: Role) -> Issued {
        authority.issue(&IssueRequest::new(name.parse().unwrap(), role)).unwrap()
    }

    /// A request for a name, with the word of an identity.
    fn asked(name: &str, by: &Issued) -> String {
        let key = SigningRequest::new_key().unwrap();
        let request = SigningRequest::make_with(&name.parse().unwrap(), &key).unwrap();
        let der = SigningRequest::from_pem(request.as_bytes()).unwrap().der().to_owned();
        format!("{request}{}", by.identity().unwrap().vouch_for(&der).unwrap())
    }

    #[test]
    fn whoever_passes_a_request_on_cannot_put_its_own_in_its_place() {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::init(home.path(), "Func CA").unwrap();
        let stranger = Authority::in_memory("Func CA").unwrap();
        let (leaf, mid) = (issue(&authority, "leaf", Role::Minion), issue(&authority, "mid", Role::SubOverlord));
        let check = |text: &str| {
            let request = SigningRequest::from_pem(text.as_bytes()).unwrap();
            authority.check_own_word(text.as_bytes(), &request)
        };
        let good = asked("leaf", &leaf);
        check(&good).unwrap();
        let (request, word) = good.split_at(good.find("-----BEGIN CERTIFICATE-----").unwrap());
        // Its own key, with the minion's word for another; its own word; a stranger's; none.
        let other = asked("leaf", &mid);
        let (own_key, own_word) = other.split_at(other.find("-----BEGIN CERTIFICATE-----").unwrap());
        let strange = asked("leaf", &issue(&stranger, "leaf", Role::Minion));
        let reader = asked("leaf", &issue(&authority, "leaf", Role::Reader));
        for forged in [
            format!("{own_key}{word}"),
            other.clone(),
            format!("{request}{own_word}"),
            strange,
            reader,
            request.to_owned(),
        ] {
            assert!(matches!(check(&forged), Err(Error::NotVouched { .. })), "{forged}");
        }
        authority.revoke(std::slice::from_ref(&leaf.serial)).unwrap();
        assert!(matches!(check(&good), Err(Error::NotVouched { .. })));
    }

    #[test]
    fn only_whoever_holds_the_key_vouches_and_only_for_these_bytes() {
        let authority = Authority::in_memory("Func CA").unwrap();
        let made = |name: &str| issue(&authority, name, Role::Minion);
        let (web1, web2) = (made("web1"), made("web2"));
        let word = web1.identity().unwrap().vouch_for(b"request").unwrap();
        assert_eq!(vouched(word.as_bytes(), b"request").unwrap(), *web1.identity().unwrap().peer());
        assert_eq!(vouched(word.as_bytes(), b"another"), None);
        // Another one's certificate before it.
        let forged = format!("{}{}", web2.cert_pem, &word[word.find("-----BEGIN FUNC").unwrap()..]);
        assert_eq!(vouched(forged.as_bytes(), b"request"), None);
        assert_eq!(vouched(web1.cert_pem.as_bytes(), b"request"), None);
        assert_eq!(vouched(b"", b"request"), None);
    }

    #[test]
    fn whatever_stands_in_a_word_harms_nobody() {
        let authority = Authority::in_memory("Func CA").unwrap();
        let word = issue(&authority, "web1", Role::Minion).identity().unwrap().vouch_for(b"request").unwrap();
        let words = ["-----BEGIN FUNC VOUCHER-----\n", "-----END CERTIFICATE-----\n", "MII", "=", "\n"];
        crate::sys::fuzz::fuzz("vouchers", &[word.as_bytes()], &words, |bytes| {
            vouched(bytes, b"request").map(|peer| peer.role)
        });
    }
}
