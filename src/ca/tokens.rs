//! The tokens that were made: a file for each, named by its secret's digest, so that nobody who reads the folder can join.
//!
//! ```text
//! made ──the first machine that shows it, in time, with a name it is for──▶ used, for good and by that key
//! ```
//!
//! The same machine may show it again, with the same key: an answer may have been lost on the way.

use std::{fs, io, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Address, Authority, Error, NameGlob, Secret, SigningRequest, Token, audit, authority::make_folder};
use crate::{
    ids::{Digest, HostName},
    sys::durable,
};

const FOLDER: &str = "tokens";

/// How long a token that has ended is remembered.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);

/// What is kept of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    /// The names that it is for.
    #[serde(rename = "for")]
    pub(super) names: NameGlob,
    made: Timestamp,
    ends: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<Use>,
}

/// Who has used a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Use {
    name: HostName,
    key: Digest,
    at: Timestamp,
}

/// Why a token lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the token is not one of this authority's")]
    Unknown,
    #[error("the token has expired; ask for another one")]
    Expired,
    #[error("the token was used before; ask for another one")]
    Used,
    #[error("the token is for another name than `{0}`")]
    Name(HostName),
}

impl Authority {
    /// Makes a token for one machine whose name `names` matches.
    pub fn token(&self, names: &NameGlob, address: Address, lasts: Duration) -> Result<Token, Error> {
        let folder = self.folder()?.join(FOLDER);
        make_folder(&folder)?;
        let secret = Secret::fresh()?;
        let made = Timestamp::now();
        let ends = made.checked_add(lasts).unwrap_or(Timestamp::MAX);
        let record = Record { names: names.clone(), made, ends, used: None };
        self.save_token(&secret.digest(), &record)?;
        self.forget_old_tokens(made)?;
        let why = format!("for `{names}`, until {ends:.0}");
        audit::write(self.folder()?, &[audit::Change::new(audit::Event::TokenMade).why(why)])?;
        Ok(Token { address, authority: self.fingerprint(), secret })
    }

    /// How many tokens wait to be used. Each names the authority that it was made by, and no machine sends it to another.
    pub fn open_tokens(&self) -> Result<usize, Error> {
        let now = Timestamp::now();
        let all = self.tokens()?;
        Ok(all.iter().filter(|(_, record)| record.used.is_none() && record.ends > now).count())
    }

    /// Whether a token lets this request in. Nothing is written: [`use_token`](Self::use_token) does that.
    pub(super) fn judge_token(
        &self,
        secret: &Secret,
        request: &SigningRequest,
    ) -> Result<Result<Record, Unfit>, Error> {
        let Some(record) = self.load_token(&secret.digest())? else { return Ok(Err(Unfit::Unknown)) };
        // Before its age: who used it in time may ask again for what was lost on the way.
        if let Some(used) = &record.used {
            let same = used.name == *request.name() && used.key == request.key();
            return Ok(if same { Ok(record) } else { Err(Unfit::Used) });
        }
        if Timestamp::now() > record.ends {
            return Ok(Err(Unfit::Expired));
        }
        if !record.names.matches(request.name()) {
            return Ok(Err(Unfit::Name(request.name().clone())));
        }
        Ok(Ok(record))
    }

    /// Notes durably, before anything is signed, that the token is this request's.
    pub(super) fn use_token(&self, secret: &Secret, mut record: Record, request: &SigningRequest) -> Result<(), Error> {
        if record.used.is_some() {
            return Ok(());
        }
        record.used = Some(Use { name: request.name().clone(), key: request.key(), at: Timestamp::now() });
        self.save_token(&secret.digest(), &record)
    }

    fn token_path(&self, secret: &Digest) -> Result<PathBuf, Error> {
        Ok(self.folder()?.join(FOLDER).join(format!("{secret}.json")))
    }

    fn load_token(&self, secret: &Digest) -> Result<Option<Record>, Error> {
        let path = self.token_path(secret)?;
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|error| Error::Damaged { path, why: error.to_string() })
            }
        }
    }

    fn save_token(&self, secret: &Digest, record: &Record) -> Result<(), Error> {
        let path = self.token_path(secret)?;
        let text = serde_json::to_vec(record).unwrap_or_default();
        durable::write_atomic(&path, &text, 0o600).map_err(|source| Error::Write { path, source })
    }

    fn tokens(&self) -> Result<Vec<(PathBuf, Record)>, Error> {
        let folder = self.folder()?.join(FOLDER);
        let files = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|source| Error::Read { path: folder, source })?,
        };
        let read = |path: PathBuf| Some((serde_json::from_slice(&fs::read(&path).ok()?).ok()?, path));
        Ok(files.flatten().filter_map(|file| read(file.path())).map(|(record, path)| (path, record)).collect())
    }

    fn forget_old_tokens(&self, now: Timestamp) -> Result<(), Error> {
        for (path, record) in self.tokens()? {
            if record.ends.checked_add(REMEMBERED).is_ok_and(|until| until < now) {
                // Another time, if not now.
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }
}
