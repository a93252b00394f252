//! Who asks to belong, and what the answer is.
//!
//! ```text
//!              ┌ known name, another key ─────────────▶ refused, reported
//! request ─────┤ a token that fits ───────────────────▶ signed
//!              ├ a name that a rule signs ────────────▶ signed
//!              └ neither ─▶ pending ─┬ func ca sign ──▶ signed
//!                                    └ func ca deny ──▶ denied
//! ```
//!
//! A name is known while a certificate of it is valid: not expired, not revoked. Whoever asks again with the same key gets
//! the same answer. One request is kept for each name, in `requests/NAME.json`; the first key to ask for a name keeps
//! others from asking until the operator has decided, and a token, which is the operator's decision, puts it out.

use std::{fs, io, net::IpAddr, path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Address, Authority, Entry, Error, IssueRequest, NameGlob, Secret, SigningRequest, audit, authority::make_folder,
    comparison, lock,
};
use crate::{
    ids::{Digest, HostName},
    sys::durable,
    tls::Role,
};

const FOLDER: &str = "requests";

/// A request that nobody has asked about for so long makes room when room is needed.
const STALE: Duration = Duration::from_hours(24);

/// A request, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Who asks.
    pub name: HostName,
    /// With which key.
    pub key: Digest,
    /// Since when.
    pub first: Timestamp,
    /// When it asked last.
    pub last: Timestamp,
    /// From where.
    pub from: IpAddr,
    /// Where it says that it will listen.
    pub address: Option<Address>,
    /// What has become of it.
    pub state: State,
    request: String,
}

/// What has become of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum State {
    /// The operator has not decided.
    Pending,
    /// It was signed.
    Signed {
        /// The certificate, in PEM form.
        certificate: String,
    },
    /// The operator denied it.
    Denied,
}

/// Bounds, and what is signed without a word of the operator's.
#[derive(Debug, Clone)]
pub struct EnrolmentRules {
    /// Names that are signed for whoever asks first. Empty unless the operator says so.
    pub auto_sign: Vec<NameGlob>,
    /// So many requests wait at most.
    pub most_pending: usize,
    /// So many of one peer.
    pub most_of_one: usize,
    /// Whether refusals are written into the audit log.
    pub note_refusals: bool,
}

impl Default for EnrolmentRules {
    fn default() -> Self {
        Self { auto_sign: Vec::new(), most_pending: 1000, most_of_one: 50, note_refusals: true }
    }
}

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Joining {
    /// What is to be signed.
    pub request: SigningRequest,
    /// The secret of a token.
    pub secret: Option<Secret>,
    /// Where it says that it will listen.
    pub address: Option<Address>,
    /// From where it asks.
    pub from: IpAddr,
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its certificate, in PEM form.
    Signed {
        /// The certificate.
        certificate: String,
        /// Whether it was signed only now.
        fresh: bool,
    },
    /// Ask again later.
    Pending {
        /// Whether this was the first time.
        fresh: bool,
    },
    /// No.
    Refused {
        /// Why, in words that the asker may know.
        why: String,
    },
}

impl Authority {
    /// Decides about a request.
    pub fn enrol(&self, joining: &Joining, rules: &EnrolmentRules) -> Result<Verdict, Error> {
        let folder = self.requests_folder()?;
        let _lock = lock::hold(&folder)?;
        let (request, name) = (&joining.request, joining.request.name());
        let known = self.valid_of(name)?;
        let earlier = self.request_of(name)?;
        let same_key = |pending: &&Pending| pending.key == request.key();
        if let Some(entry) = known.iter().find(|entry| entry.key != Some(request.key())) {
            return self.refuse(joining, rules, &known_name(entry));
        }
        if let Some(State::Signed { certificate }) = earlier.as_ref().filter(same_key).map(|pending| &pending.state)
            && !known.is_empty()
        {
            // What the authority of before has signed is of no use to a machine that knows the present one alone.
            if known.iter().any(|entry| self.is_own(entry)) {
                return Ok(Verdict::Signed { certificate: certificate.clone(), fresh: false });
            }
            return self.sign_joining(joining, "as before, by another authority");
        }
        if let Some(secret) = &joining.secret {
            return match self.judge_token(secret, request)? {
                Err(unfit) => self.refuse(joining, rules, &unfit.to_string()),
                Ok(token) => {
                    self.use_token(secret, token, request)?;
                    self.sign_joining(joining, "by a token")
                }
            };
        }
        match earlier {
            Some(pending) if pending.key == request.key() => match pending.state {
                State::Denied => Ok(Verdict::Refused { why: "the operator has denied this request".to_owned() }),
                // Its certificate has ended, so this is a new request.
                State::Signed { .. } => self.wait_or_sign(joining, rules),
                State::Pending => {
                    self.save_request(&Pending { last: Timestamp::now(), from: joining.from, ..pending })?;
                    Ok(Verdict::Pending { fresh: false })
                }
            },
            Some(Pending { state: State::Pending, .. }) => {
                self.refuse(joining, rules, "another key has asked for this name, and the operator has not decided yet")
            }
            Some(_) | None => self.wait_or_sign(joining, rules),
        }
    }

    /// Signs the request that waits under this name.
    pub fn sign_pending(&self, name: &HostName, days: u32) -> Result<Pending, Error> {
        let folder = self.requests_folder()?;
        let _lock = lock::hold(&folder)?;
        let pending = self.waiting(name)?;
        let der = STANDARD.decode(&pending.request).unwrap_or_default();
        let request = SigningRequest::from_der(&der)
            .map_err(|error| Error::Damaged { path: self.request_path(name), why: error.to_string() })?;
        if let Some(entry) = self.valid_of(name)?.iter().find(|entry| entry.key != Some(request.key())) {
            return Err(Error::KnownName { name: name.clone(), serial: entry.serial.clone() });
        }
        let certificate = self.certify(&request, pending.address.as_ref(), days, pending.from, "by the operator")?;
        let pending = Pending { state: State::Signed { certificate }, ..pending };
        self.save_request(&pending)?;
        Ok(pending)
    }

    /// Denies the request that waits under this name.
    pub fn deny_pending(&self, name: &HostName) -> Result<Pending, Error> {
        let folder = self.requests_folder()?;
        let _lock = lock::hold(&folder)?;
        let pending = Pending { state: State::Denied, ..self.waiting(name)? };
        self.save_request(&pending)?;
        let change = audit::Change::new(audit::Event::Denied).of(name).key(pending.key).from(Some(pending.from));
        audit::write(self.folder()?, &[change])?;
        Ok(pending)
    }

    /// Every request, by name.
    pub fn requests(&self) -> Result<Vec<Pending>, Error> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let folder = folder.join(FOLDER);
        let files = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|source| Error::Read { path: folder, source })?,
        };
        let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        let names = names.filter_map(|name| name.strip_suffix(".json")?.parse::<HostName>().ok());
        let mut all: Vec<Pending> =
            names.filter_map(|name| self.request_of(&name).transpose()).collect::<Result<_, _>>()?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The words for people to compare: `funcd join` shows the same.
    pub fn comparison(&self, pending: &Pending) -> String {
        comparison(&pending.key, &self.fingerprint())
    }

    /// The certificates of a name that can be presented now, and are believed.
    pub(super) fn valid_of(&self, name: &HostName) -> Result<Vec<Entry>, Error> {
        let (revoked, now) = (self.revoked()?, Timestamp::now());
        let mut all = self.issued()?;
        let holds =
            |entry: &Entry| entry.not_after > now && !revoked.contains(&entry.serial) && self.is_believed(entry);
        all.retain(|entry| entry.name == *name && holds(entry));
        Ok(all)
    }

    fn wait_or_sign(&self, joining: &Joining, rules: &EnrolmentRules) -> Result<Verdict, Error> {
        let name = joining.request.name();
        if let Some(rule) = rules.auto_sign.iter().find(|rule| rule.matches(name)) {
            return self.sign_joining(joining, &format!("by the rule `{rule}`"));
        }
        let mut waiting = self.requests()?;
        waiting.retain(|pending| pending.state == State::Pending);
        if waiting.iter().filter(|pending| pending.from == joining.from).count() >= rules.most_of_one {
            return Ok(refused("too many requests of this address wait for the operator"));
        }
        if waiting.len() >= rules.most_pending && !self.make_room(&waiting)? {
            return Ok(refused("too many requests wait for the operator"));
        }
        self.save_request(&kept(joining, State::Pending))?;
        let change = audit::Change::new(audit::Event::Asked).of(name).key(joining.request.key());
        audit::write(self.folder()?, &[change.from(Some(joining.from))])?;
        Ok(Verdict::Pending { fresh: true })
    }

    fn sign_joining(&self, joining: &Joining, why: &str) -> Result<Verdict, Error> {
        let address = joining.address.as_ref();
        let certificate = self.certify(&joining.request, address, IssueRequest::DAYS, joining.from, why)?;
        self.save_request(&kept(joining, State::Signed { certificate: certificate.clone() }))?;
        Ok(Verdict::Signed { certificate, fresh: true })
    }

    /// A minion's certificate for the key of a request. Where it says that it listens is remembered and not certified.
    fn certify(
        &self,
        request: &SigningRequest,
        address: Option<&Address>,
        days: u32,
        from: IpAddr,
        why: &str,
    ) -> Result<String, Error> {
        let mut wanted = IssueRequest::new(request.name().clone(), Role::Minion);
        // A CA that is about to end signs for less.
        wanted.days = days.min(self.days_left());
        let (certificate, entry) = self.sign_key(&wanted, request.public_key())?;
        let why = address.map_or_else(|| why.to_owned(), |address| format!("{why}; listens at {address}"));
        let change = audit::Change::new(audit::Event::Signed).of(request.name()).serial(&entry.serial);
        let change = change.key(request.key()).from(Some(from)).why(why);
        self.record(std::slice::from_ref(&entry), &[change])?;
        Ok(self.handed_out(&certificate))
    }

    fn refuse(&self, joining: &Joining, rules: &EnrolmentRules, why: &str) -> Result<Verdict, Error> {
        if !rules.note_refusals {
            return Ok(refused(why));
        }
        let change = audit::Change::new(audit::Event::Refused).of(joining.request.name()).key(joining.request.key());
        audit::write(self.folder()?, &[change.from(Some(joining.from)).why(why)])?;
        Ok(refused(why))
    }

    /// Takes the request away that was not asked about for the longest time, if that is long enough.
    fn make_room(&self, waiting: &[Pending]) -> Result<bool, Error> {
        let oldest = waiting.iter().min_by_key(|pending| pending.last);
        let stale = |pending: &&Pending| {
            Timestamp::now().duration_since(pending.last).unsigned_abs() > STALE && pending.last < Timestamp::now()
        };
        let Some(oldest) = oldest.filter(stale) else { return Ok(false) };
        let path = self.request_path(&oldest.name);
        fs::remove_file(&path).map_err(|source| Error::Write { path, source })?;
        Ok(true)
    }

    fn waiting(&self, name: &HostName) -> Result<Pending, Error> {
        let pending = self.request_of(name)?.filter(|pending| pending.state == State::Pending);
        pending.ok_or_else(|| Error::NoRequest { name: name.clone() })
    }

    fn requests_folder(&self) -> Result<PathBuf, Error> {
        let folder = self.folder()?.join(FOLDER);
        make_folder(&folder)?;
        Ok(folder)
    }

    fn request_path(&self, name: &HostName) -> PathBuf {
        self.folder.clone().unwrap_or_default().join(FOLDER).join(format!("{name}.json"))
    }

    fn request_of(&self, name: &HostName) -> Result<Option<Pending>, Error> {
        let path = self.request_path(name);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|error| Error::Damaged { path, why: error.to_string() })
            }
        }
    }

    fn save_request(&self, pending: &Pending) -> Result<(), Error> {
        let path = self.request_path(&pending.name);
        let text = serde_json::to_vec(pending).unwrap_or_default();
        durable::write_atomic(&path, &text, 0o600).map_err(|source| Error::Write { path, source })
    }
}

fn kept(joining: &Joining, state: State) -> Pending {
    let now = Timestamp::now();
    Pending {
        name: joining.request.name().clone(),
        key: joining.request.key(),
        first: now,
        last: now,
        from: joining.from,
        address: joining.address.clone(),
        state,
        request: STANDARD.encode(joining.request.der()),
    }
}

fn refused(why: &str) -> Verdict {
    Verdict::Refused { why: why.to_owned() }
}

fn known_name(entry: &Entry) -> String {
    let Entry { name, serial, .. } = entry;
    format!(
        "`{name}` has a certificate for another key (serial {serial}); if it is to have a new one, revoke that first"
    )
}
