//! Which authorities are to be believed from now on: statements that the newest authority which the reader believes must have
//! signed.
//!
//! ```text
//! statement = form (1) | number (8) | authorities, the newest last | retired | signatures      PEM: `FUNC TRUST`
//! each list = count (1) | each item = length (2) | bytes; all numbers big-endian
//! ```
//!
//! Numbers grow with every statement, so an old one cannot be replayed. A signature is over everything before the
//! signatures, behind a text that stands before nothing else that an authority signs. Only the newest authority is asked:
//! as soon as somebody believes a successor, the key of before says nothing any more.
//!
//! A text holds some statements, each for those who have the one before, so that whoever missed one still comes along.
//! The lists of retired authorities are recognised, in order to be left aside, and nothing else of theirs.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, pem::Pem, prelude::FromDer};

use super::{Authorities, Error, pem};

const LABEL: &str = "FUNC TRUST";
const FORM: u8 = 1;
const CONTEXT: &[u8] = b"func trust statement\0";

/// At most this many in one statement.
const MOST_AUTHORITIES: usize = 2;
const MOST_RETIRED: usize = 1;
const MOST_SIGNATURES: usize = 2;
/// At most this many in one text.
const MOST_STATEMENTS: usize = 4;
/// The longest text that is read.
const MOST_BYTES: usize = 64 << 10;

/// Who is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    number: u64,
    authorities: Vec<CertificateDer<'static>>,
    retired: Vec<CertificateDer<'static>>,
    signatures: Vec<Vec<u8>>,
}

/// Some statements, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust(Vec<Statement>);

/// Bytes that are no statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTrust {
    /// It is cut off, or has no form of one.
    #[error("it is not a whole statement of authorities")]
    Damaged,
    /// It was made by another version of Func.
    #[error("it was made by another version of Func (its form is {0})")]
    Form(u8),
    /// What is in it is no certificate of an authority.
    #[error("what it names as an authority is none")]
    NoAuthority,
    /// More than anybody needs.
    #[error("it is too long")]
    TooLong,
}

impl Statement {
    /// A statement that is not yet signed.
    pub fn new(number: u64, authorities: Vec<CertificateDer<'static>>, retired: Vec<CertificateDer<'static>>) -> Self {
        Self { number, authorities, retired, signatures: Vec::new() }
    }

    /// What is signed.
    pub fn message(&self) -> Vec<u8> {
        [CONTEXT, &self.body()].concat()
    }

    /// The same with one more signature over its [`message`](Self::message).
    #[must_use]
    pub fn signed(mut self, signature: Vec<u8>) -> Self {
        self.signatures.push(signature);
        self
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The certificates of the authorities, the newest last.
    pub fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }

    fn body(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&self.number.to_be_bytes());
        write(&mut bytes, &self.authorities);
        write(&mut bytes, &self.retired);
        bytes
    }

    /// The bytes of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.body();
        write(&mut bytes, &self.signatures);
        bytes
    }

    /// Reads the bytes of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidTrust> {
        let (form, rest) = bytes.split_first().ok_or(InvalidTrust::Damaged)?;
        if *form != FORM {
            return Err(InvalidTrust::Form(*form));
        }
        let (number, mut rest) = rest.split_first_chunk().ok_or(InvalidTrust::Damaged)?;
        let authorities = read(&mut rest, MOST_AUTHORITIES)?;
        let retired = read(&mut rest, MOST_RETIRED)?;
        let signatures = read(&mut rest, MOST_SIGNATURES)?;
        if !rest.is_empty() || authorities.is_empty() || signatures.is_empty() {
            return Err(InvalidTrust::Damaged);
        }
        if authorities.iter().chain(&retired).any(|der| !is_authority(der)) {
            return Err(InvalidTrust::NoAuthority);
        }
        let certificates = |list: Vec<Vec<u8>>| list.into_iter().map(CertificateDer::from).collect();
        let (authorities, retired) = (certificates(authorities), certificates(retired));
        Ok(Self { number: u64::from_be_bytes(*number), authorities, retired, signatures })
    }

    fn is_vouched_by(&self, authorities: &Authorities) -> bool {
        let message = self.message();
        self.signatures.iter().any(|signature| authorities.newest_has_signed(&message, signature))
    }
}

impl Trust {
    /// This statement, behind those of an earlier text that some may have missed.
    pub fn of(earlier: &[Statement], last: Statement) -> Self {
        let from = earlier.len().saturating_sub(MOST_STATEMENTS - 1);
        Self(earlier[from..].iter().cloned().chain([last]).collect())
    }

    /// Reads the statements among the PEM of a text; nothing if there are none.
    pub fn read(text: &[u8]) -> Result<Option<Arc<Self>>, InvalidTrust> {
        if text.len() > MOST_BYTES {
            return Err(InvalidTrust::TooLong);
        }
        let mut statements = Vec::new();
        for block in Pem::iter_from_buffer(text) {
            let block = block.map_err(|_| InvalidTrust::Damaged)?;
            if block.label == LABEL {
                statements.push(Statement::from_bytes(&block.contents)?);
            }
        }
        if statements.len() > MOST_STATEMENTS {
            return Err(InvalidTrust::TooLong);
        }
        if !statements.is_sorted_by(|one, next| one.number < next.number) {
            return Err(InvalidTrust::Damaged);
        }
        Ok((!statements.is_empty()).then(|| Arc::new(Self(statements))))
    }

    /// All of them, the oldest first.
    pub fn statements(&self) -> &[Statement] {
        &self.0
    }

    /// The number of the last one.
    pub fn number(&self) -> u64 {
        self.0.last().map_or(0, Statement::number)
    }

    /// All of them, as PEM.
    pub fn to_pem(&self) -> String {
        self.0.iter().map(|statement| pem(LABEL, &statement.to_bytes())).collect()
    }

    /// The certificates of the authorities that the last one names, and all statements: what a file of authorities holds.
    pub fn to_file(&self) -> String {
        let certificates = self.0.last().map_or(&[][..], Statement::authorities);
        let certificates: String = certificates.iter().map(|der| pem("CERTIFICATE", der)).collect();
        format!("{certificates}{}", self.to_pem())
    }

    /// The authorities that were given up.
    pub(super) fn retired(&self) -> Result<Option<Authorities>, Error> {
        let retired = self.0.last().map_or(&[][..], |last| &last.retired);
        if retired.is_empty() { Ok(None) } else { Authorities::new(retired.iter().cloned()).map(Some) }
    }

    /// What of it is news for whoever believes `authorities` by the statement `number`: everything up to the last that is
    /// vouched for, each by the newest authority that is believed then.
    pub(super) fn news_for(
        &self,
        authorities: &Authorities,
        number: u64,
    ) -> Result<Option<(Self, Authorities)>, Error> {
        let mut believed = (authorities.clone(), number);
        let (mut taken, mut strange) = (None, false);
        for (at, statement) in self.0.iter().enumerate() {
            if statement.number <= believed.1 {
                continue;
            }
            if statement.is_vouched_by(&believed.0) {
                believed = (Authorities::new(statement.authorities.iter().cloned())?, statement.number);
                taken = Some(at);
            } else {
                strange = true;
            }
        }
        match taken {
            Some(at) => Ok(Some((Self(self.0[..=at].to_vec()), believed.0))),
            None if strange => Err(Error::ForeignTrust),
            None => Ok(None),
        }
    }
}

fn write(bytes: &mut Vec<u8>, list: &[impl AsRef<[u8]>]) {
    bytes.push(u8::try_from(list.len()).unwrap_or(u8::MAX));
    for item in list {
        let item = item.as_ref();
        bytes.extend_from_slice(&u16::try_from(item.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(item);
    }
}

fn read(bytes: &mut &[u8], most: usize) -> Result<Vec<Vec<u8>>, InvalidTrust> {
    let (count, mut rest) = bytes.split_first().ok_or(InvalidTrust::Damaged)?;
    if usize::from(*count) > most {
        return Err(InvalidTrust::Damaged);
    }
    let mut list = Vec::new();
    for _ in 0..*count {
        let (length, behind) = rest.split_first_chunk().ok_or(InvalidTrust::Damaged)?;
        let (item, behind) =
            behind.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(InvalidTrust::Damaged)?;
        list.push(item.to_owned());
        rest = behind;
    }
    *bytes = rest;
    Ok(list)
}

fn is_authority(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(rest, certificate)| rest.is_empty() && certificate.is_ca())
}
