//! A new machine at the door of an authority.
//!
//! The key is made here and stays here. It is written down before it is shown to anybody, so that whoever asks again,
//! after a restart too, is the same.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::message::{Answer, Ask, MOST_BYTES, PATH};
use crate::{
    ca::{self, Address, Secret, SigningRequest, Token, comparison_of},
    ids::{Digest, HostName},
    sys::durable,
    tls::{self, CA_FILE, CERTIFICATE_FILE, ENROLMENT_NAME, Identity, KEY_FILE, Pin, pem, pinned_client_config},
};

/// One question, from the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between questions, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Why a machine does not belong, yet or at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The identity is there already.
    #[error("`{}` exists already: this machine has an identity, which is left as it is", path.display())]
    Exists {
        /// The certificate.
        path: PathBuf,
    },
    /// A file of the identity cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The door cannot be reached; another time it may.
    #[error("no answer from {address}: {why}")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        why: String,
    },
    /// Somebody else is there.
    #[error(
        "{address} is not the authority that was expected: either the address is wrong, or somebody is in between, or another \
         authority has taken its place since the token was made; nothing was sent to it, so ask for a new token"
    )]
    OtherAuthority {
        /// Where.
        address: Address,
    },
    /// The authority said no.
    #[error("the authority at {address} refused: {why}")]
    Refused {
        /// Where.
        address: Address,
        /// Its words.
        why: String,
    },
    /// The authority answered something that cannot be used.
    #[error("the authority at {address} sent a certificate that cannot be used")]
    Unusable {
        /// Where.
        address: Address,
        /// Why.
        source: Box<tls::Error>,
    },
    /// A certificate for another name or another key.
    #[error("the authority at {address} sent the certificate of somebody else")]
    OfAnother {
        /// Where.
        address: Address,
    },
    /// The key cannot be made or used.
    #[error("the key in `{}` cannot be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<ca::Error>,
    },
}

impl Error {
    /// Whether asking again may help.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The operator has not decided yet.
    Pending,
    /// This machine belongs, and its identity is on disk.
    Joined(Joined),
}

/// An identity that was just written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its name.
    pub name: HostName,
    /// Until when its certificate is valid.
    pub until: Timestamp,
    /// The authority.
    pub authority: Digest,
}

/// A machine that wants to belong.
#[derive(Debug)]
pub struct Joiner {
    name: HostName,
    folder: PathBuf,
    address: Address,
    pin: Pin,
    ask: Ask,
    key_pem: String,
    asked: u32,
}

impl Joiner {
    /// With a token: it says where to ask and whom to believe.
    pub fn with_token(token: &Token, name: HostName, folder: &Path) -> Result<Self, Error> {
        Self::new(token.address.clone(), Pin::only(token.authority), Some(&token.secret), name, folder)
    }

    /// Without one: the first authority that is seen is taken for the right one until people have compared.
    pub fn without_token(address: Address, name: HostName, folder: &Path) -> Result<Self, Error> {
        Self::new(address, Pin::first_seen(), None, name, folder)
    }

    fn new(address: Address, pin: Pin, secret: Option<&Secret>, name: HostName, folder: &Path) -> Result<Self, Error> {
        let certificate = folder.join(CERTIFICATE_FILE);
        if certificate.exists() {
            return Err(Error::Exists { path: certificate });
        }
        let path = folder.join(KEY_FILE);
        let file = |source| Error::File { path: path.clone(), source };
        let key = |error| Error::Key { path: path.clone(), source: Box::new(error) };
        durable::create_folder(folder, 0o700).map_err(file)?;
        let key_pem = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let fresh = SigningRequest::new_key().map_err(key)?;
                durable::write_new(&path, fresh.as_bytes(), 0o600).map_err(file)?;
                fresh
            }
            other => other.map_err(file)?,
        };
        let request = SigningRequest::make_with(&name, &key_pem).map_err(key)?;
        let secret = secret.map(ToString::to_string);
        let ask = Ask { request, secret, address: None, port: None };
        Ok(Self { name, folder: folder.to_owned(), address, pin, ask, key_pem, asked: 0 })
    }

    /// Says where this machine will listen.
    #[must_use]
    pub fn listens(mut self, address: Option<Address>, port: Option<u16>) -> Self {
        (self.ask.address, self.ask.port) = (address, port);
        self
    }

    /// What people compare, once an authority was seen: `func ca list --pending` shows the same there.
    pub fn comparison(&self) -> Option<String> {
        comparison_of(&self.key_pem, &Digest::of(self.pin.authority()?)).ok()
    }

    /// Asks once. When the answer is a certificate, the identity is on disk when this returns.
    pub async fn ask(&mut self) -> Result<State, Error> {
        self.asked = self.asked.saturating_add(1);
        let late = |_| self.unreachable(format!("nothing within {} s", PATIENCE.as_secs()));
        let answer = tokio::time::timeout(PATIENCE, self.exchange()).await.map_err(late)??;
        let address = self.address.clone();
        match answer {
            Answer::Signed { certificate } => self.install(&certificate).map(State::Joined),
            Answer::Pending => Ok(State::Pending),
            Answer::Refused { why } => Err(Error::Refused { address, why }),
            Answer::Busy { why } => Err(Error::Unreachable { address, why }),
        }
    }

    /// How long to wait before the next question: longer each time, and never for as long as others who began with us.
    pub fn pause(&self) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.asked.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
        // The last bits of a random id: between half of it and all of it.
        let random = uuid::Uuid::now_v7().as_u128() & 0xffff;
        let share = 0.5 + f64::from(u16::try_from(random).unwrap_or_default()) / 131_072.0;
        longest.mul_f64(share)
    }

    async fn exchange(&self) -> Result<Answer, Error> {
        let broken = |why: &dyn std::fmt::Display| self.unreachable(why.to_string());
        let tls = pinned_client_config(&self.pin).map_err(|error| broken(&error))?;
        let tcp = TcpStream::connect((self.address.host(), self.address.port())).await;
        let tcp = tcp.map_err(|error| broken(&error))?;
        let name = ServerName::try_from(ENROLMENT_NAME).map_err(|error| broken(&error))?;
        // The pin is checked in here, before anything is sent.
        let stream = TlsConnector::from(tls).connect(name, tcp).await.map_err(|error| self.no_handshake(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        tokio::spawn(connection);
        let body = serde_json::to_vec(&self.ask).unwrap_or_default();
        let request = Request::post(PATH)
            .header(header::HOST, ENROLMENT_NAME)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(&error))?;
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| broken(&error))?;
        serde_json::from_slice(&body.to_bytes()).map_err(|_| broken(&"its answer makes no sense"))
    }

    fn unreachable(&self, why: String) -> Error {
        Error::Unreachable { address: self.address.clone(), why }
    }

    fn no_handshake(&self, error: &io::Error) -> Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
                Error::OtherAuthority { address: self.address.clone() }
            }
            _ => self.unreachable(error.to_string()),
        }
    }

    /// Checks what came, and writes it: the certificate last, because it says that there is an identity.
    fn install(&self, certificate: &str) -> Result<Joined, Error> {
        let address = || self.address.clone();
        let authority = self.pin.authority().ok_or_else(|| Error::OtherAuthority { address: address() })?;
        let ca_pem = pem("CERTIFICATE", authority);
        let unusable = |error| Error::Unusable { address: address(), source: Box::new(error) };
        let identity = Identity::from_pem(certificate, &self.key_pem, &ca_pem).map_err(unusable)?;
        identity.check_as_server(Timestamp::now()).map_err(unusable)?;
        if identity.peer().name != self.name.as_str() {
            return Err(Error::OfAnother { address: address() });
        }
        for (name, text) in [(CA_FILE, ca_pem.as_str()), (CERTIFICATE_FILE, certificate)] {
            let path = self.folder.join(name);
            durable::write_atomic(&path, text.as_bytes(), 0o644).map_err(|source| Error::File { path, source })?;
        }
        let until = identity.peer().not_after;
        Ok(Joined { name: self.name.clone(), until, authority: Digest::of(authority) })
    }
}
