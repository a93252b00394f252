//! The authority itself: it makes keys and signs for them.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use time::OffsetDateTime;

use super::{
    Address, Entry, Error, Passphrase, audit, index,
    key::{self, AtRest},
    lock, profile,
    rotation::Rotation,
    signing_request::key_digest,
};
use crate::{
    ids::{Digest, HostName, Serial},
    sys::durable,
    tls::{self, Peer, Role},
};

pub(super) const KEY: &str = "ca-key.pem";
pub(super) const CERTIFICATE: &str = "ca.pem";
const INDEX: &str = "issued.jsonl";

/// A certificate authority, ready to sign unless its key is sealed.
#[derive(Debug)]
pub struct Authority {
    pub(super) folder: Option<PathBuf>,
    /// Nothing while its key is sealed.
    pub(super) issuer: Option<Issuer<'static, KeyPair>>,
    pub(super) certificate: String,
    pub(super) ends: OffsetDateTime,
    /// What opens its key, and the keys beside it.
    pub(super) passphrase: Option<Passphrase>,
    pub(super) rotation: Option<Rotation>,
    /// The one before, as long as its certificates hold.
    pub(super) earlier: Option<Earlier>,
    /// What goes behind each certificate, for those who do not know the present authority yet.
    pub(super) cross: String,
}

/// An authority whose place was taken.
#[derive(Debug)]
pub(super) struct Earlier {
    /// For revocation lists; nothing while the key is sealed.
    pub(super) issuer: Option<Issuer<'static, KeyPair>>,
    pub(super) certificate: String,
}

impl Earlier {
    pub(super) fn fingerprint(&self) -> Digest {
        fingerprint(&self.certificate)
    }
}

/// What a certificate is wanted for.
#[derive(Debug, Clone)]
pub struct IssueRequest {
    /// The host, or the operator.
    pub name: HostName,
    /// What it may do.
    pub role: Role,
    /// Where it listens, if it does; the names and IP addresses are verified by its clients.
    pub addresses: Vec<Address>,
    /// How long it is valid.
    pub days: u32,
    /// From when on; now if `None`.
    pub not_before: Option<OffsetDateTime>,
}

impl IssueRequest {
    /// The days that a certificate is valid unless something else is asked for.
    pub const DAYS: u32 = 365;

    /// A request for the usual time, without addresses.
    pub fn new(name: HostName, role: Role) -> Self {
        Self { name, role, addresses: Vec::new(), days: Self::DAYS, not_before: None }
    }

    /// The same, with an address.
    #[must_use]
    pub fn at(mut self, address: Address) -> Self {
        self.addresses.push(address);
        self
    }
}

/// A new certificate with its key, and the CA's certificate to go with it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key, which is kept nowhere else.
    pub key_pem: String,
    /// The CA's certificate, as it lies in the file of an identity: with the statements that tell of another, if there are.
    pub ca_pem: String,
    /// The certificate's serial number.
    pub serial: Serial,
}

impl Issued {
    /// Writes the three files of an identity (see [`tls::Identity::in_folder`]) into `folder`, which
    /// is made with mode 0700 if it is missing.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        make_folder(folder)?;
        for (name, text, mode) in [
            (tls::CA_FILE, &self.ca_pem, 0o644),
            (tls::KEY_FILE, &self.key_pem, 0o600),
            (tls::CERTIFICATE_FILE, &self.cert_pem, 0o644),
        ] {
            let path = folder.join(name);
            durable::write_atomic(&path, text.as_bytes(), mode).map_err(|source| Error::Write { path, source })?;
        }
        Ok(())
    }

    /// The identity that it is, without going through files.
    pub fn identity(&self) -> Result<tls::Identity, tls::Error> {
        tls::Identity::from_pem(&self.cert_pem, &self.key_pem, &self.ca_pem)
    }
}

impl Authority {
    /// Makes a new authority in `folder`. One that is there already is never replaced; one that broke off between its key
    /// and its certificate, so that nothing was issued by it, gets its certificate.
    pub fn init(folder: &Path, name: &str) -> Result<Self, Error> {
        Self::init_with(folder, name, None)
    }

    /// The same with a key that is sealed with a passphrase, if there is one.
    pub fn init_with(folder: &Path, name: &str, passphrase: Option<&Passphrase>) -> Result<Self, Error> {
        make_folder(folder)?;
        let (path, key_path) = (folder.join(CERTIFICATE), folder.join(KEY));
        let _lock = lock::hold(&path)?;
        let begun = key_path.exists();
        if path.exists() || (begun && folder.join(INDEX).exists()) {
            return Err(Error::Exists { path: folder.to_owned() });
        }
        let key = if begun {
            let pem = AtRest::read(&key_path)?.open(&key_path, passphrase)?;
            KeyPair::from_pem(&pem)
                .map_err(|error| Error::Damaged { path: key_path.clone(), why: error.to_string() })?
        } else {
            let key = profile::new_key()?;
            durable::write_new(&key_path, key::to_pem(&key, passphrase)?.as_bytes(), 0o600)
                .map_err(|source| Error::Write { path: key_path, source })?;
            key
        };
        let (params, certificate) = certify(name, &key)?;
        durable::write_new(&path, certificate.as_bytes(), 0o644).map_err(|source| Error::Write { path, source })?;
        audit::write(folder, &[audit::Change::new(audit::Event::AuthorityMade)])?;
        Ok(Self {
            folder: Some(folder.to_owned()),
            passphrase: passphrase.cloned(),
            ..Self::made(params, key, certificate)
        })
    }

    fn made(params: CertificateParams, key: KeyPair, certificate: String) -> Self {
        Self {
            folder: None,
            ends: params.not_after,
            issuer: Some(Issuer::new(params, key)),
            certificate,
            passphrase: None,
            rotation: None,
            earlier: None,
            cross: String::new(),
        }
    }

    /// An authority that lives and dies with this process, for simulated fleets.
    pub fn in_memory(name: &str) -> Result<Self, Error> {
        let key = profile::new_key()?;
        let (params, certificate) = certify(name, &key)?;
        Ok(Self::made(params, key, certificate))
    }

    pub(super) fn issuer(&self) -> Result<&Issuer<'static, KeyPair>, Error> {
        let path = || self.folder.clone().unwrap_or_default().join(KEY);
        self.issuer.as_ref().ok_or_else(|| Error::Sealed { path: path() })
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What tells the CA's certificate from every other.
    pub fn fingerprint(&self) -> Digest {
        fingerprint(&self.certificate)
    }

    /// A certificate as it is handed out.
    pub(super) fn handed_out(&self, certificate: &rcgen::Certificate) -> String {
        format!("{}{}", certificate.pem(), self.cross)
    }

    /// What an identity of this authority believes, as its file holds it.
    pub(super) fn file_of_authorities(&self) -> Result<String, Error> {
        Ok(self.trust()?.map_or_else(|| self.certificate.clone(), |trust| trust.to_file()))
    }

    /// How many more days it can sign for.
    pub fn days_left(&self) -> u32 {
        u32::try_from((self.ends - OffsetDateTime::now_utc()).whole_days()).unwrap_or_default()
    }

    /// Makes a key and a certificate for it.
    pub fn issue(&self, request: &IssueRequest) -> Result<Issued, Error> {
        let (issued, entry) = self.sign(request)?;
        self.record(std::slice::from_ref(&entry), &[issued_line(&entry)])?;
        Ok(issued)
    }

    /// The same for many at once, with one durable write for all of them.
    pub fn issue_all(&self, requests: &[IssueRequest]) -> Result<Vec<Issued>, Error> {
        let signed: Vec<_> = requests.iter().map(|request| self.sign(request)).collect::<Result<_, _>>()?;
        let (issued, entries): (Vec<_>, Vec<Entry>) = signed.into_iter().unzip();
        self.record(&entries, &entries.iter().map(issued_line).collect::<Vec<_>>())?;
        Ok(issued)
    }

    /// Everything that was ever issued, oldest first.
    pub fn issued(&self) -> Result<Vec<Entry>, Error> {
        self.folder.as_ref().map_or(Ok(Vec::new()), |folder| index::read(&folder.join(INDEX)))
    }

    pub(super) fn folder(&self) -> Result<&Path, Error> {
        self.folder.as_deref().ok_or(Error::NoFolder)
    }

    fn sign(&self, request: &IssueRequest) -> Result<(Issued, Entry), Error> {
        let key = profile::new_key()?;
        let (certificate, entry) = self.sign_key(request, &key)?;
        let issued = Issued {
            cert_pem: self.handed_out(&certificate),
            key_pem: key.serialize_pem(),
            ca_pem: self.file_of_authorities()?,
            serial: entry.serial.clone(),
        };
        Ok((issued, entry))
    }

    /// A certificate for a key that somebody else has, which is not yet written down.
    pub(super) fn sign_key(
        &self,
        request: &IssueRequest,
        key: &impl PublicKeyData,
    ) -> Result<(rcgen::Certificate, Entry), Error> {
        if request.name.as_str() == tls::ENROLMENT_NAME {
            return Err(Error::ReservedName { name: request.name.clone() });
        }
        self.sign_any(request, key)
    }

    /// The identity of this authority's own door, where machines ask to belong. Its name is nobody else's, so no minion can
    /// pose as it.
    pub fn door(&self, days: u32) -> Result<tls::Identity, Error> {
        let key = profile::new_key()?;
        let name: HostName = tls::ENROLMENT_NAME.parse().map_err(|_| Error::Random)?;
        let request = IssueRequest { days: days.min(self.days_left()), ..IssueRequest::new(name, Role::Minion) };
        let (certificate, entry) = self.sign_any(&request, &key)?;
        self.record(std::slice::from_ref(&entry), &[issued_line(&entry)])?;
        let chain = format!("{}{}", certificate.pem(), self.certificate);
        tls::Identity::from_pem(&chain, &key.serialize_pem(), &self.certificate).map_err(Error::Door)
    }

    fn sign_any(&self, request: &IssueRequest, key: &impl PublicKeyData) -> Result<(rcgen::Certificate, Entry), Error> {
        let certificate = profile::leaf(request, self.ends)?.signed_by(key, self.issuer()?).map_err(Error::Sign)?;
        let peer = Peer::from_certificate(certificate.der())
            .map_err(|_| Error::Sign(rcgen::Error::CouldNotParseCertificate))?;
        let entry = Entry::new(request, &peer, key_digest(key), self.fingerprint());
        Ok((certificate, entry))
    }

    /// The index first: what can be presented can be named.
    pub(super) fn record(&self, entries: &[Entry], changes: &[audit::Change<'_>]) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        self.check_in_office()?;
        index::append(&folder.join(INDEX), entries)?;
        audit::write(folder, changes)
    }
}

fn issued_line(entry: &Entry) -> audit::Change<'_> {
    audit::Change::new(audit::Event::Issued).of(&entry.name).serial(&entry.serial).why(entry.role.word())
}

pub(super) fn fingerprint(certificate: &str) -> Digest {
    // Our own text, so it is PEM.
    let der = CertificateDer::from_pem_slice(certificate.as_bytes());
    Digest::of(der.as_ref().map(AsRef::as_ref).unwrap_or_default())
}

pub(super) fn certify(name: &str, key: &KeyPair) -> Result<(CertificateParams, String), Error> {
    let params = profile::authority(name)?;
    let certificate = params.self_signed(key).map_err(Error::Sign)?.pem();
    Ok((params, certificate))
}

pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    durable::create_folder(folder, 0o700).map_err(|source| Error::Write { path: folder.to_owned(), source })
}
