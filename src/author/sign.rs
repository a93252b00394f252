//! The author's key, and signing with it.
//!
//! The key is a file in minisign's form without a passphrase, readable by its owner alone, with the
//! public key beside it; both are made when they are first needed. `minisign -S -s author.key` can use
//! them too. A key with a passphrase is minisign's business: what it signs is as good here.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair as _},
};

use super::error::Error;
use crate::{
    access::{KeyId, PublicKey, SIGNATURE_SUFFIX, Signature},
    ids::Digest,
    sys::durable,
};

/// Ed25519, no passphrase, and the checksum that minisign names but leaves empty then.
const PLAIN: [u8; 6] = *b"Ed\0\0B2";
/// Where the key's id lies: after the salt and the costs of the passphrase.
const ID: usize = 6 + 32 + 8 + 8;
const SEED: usize = ID + 8;
const PUBLIC: usize = SEED + 32;
/// With the checksum at the end.
const LENGTH: usize = PUBLIC + 32 + 32;

/// A key to sign modules with.
pub struct SigningKey {
    id: KeyId,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Reads the key at `path`, or makes one there. Says whether it made it.
    pub fn open_or_make(path: &Path) -> Result<(Self, bool), Error> {
        match Self::open(path) {
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map(|key| (key, false)),
        }
        match Self::make(path) {
            // Another process was faster, and its key is as good.
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Self::open(path).map(|key| (key, false))
            }
            made => made.map(|key| (key, true)),
        }
    }

    /// Reads the key at `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = Error::file("read", path);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(source) => return Err(failed(source)),
        };
        let mode = fs::metadata(path).map_err(Error::file("read", path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::OpenKey { path: path.to_owned(), mode: mode & 0o777 });
        }
        Self::parse(&text).ok_or_else(|| Error::SigningKey { path: path.to_owned() })
    }

    fn make(path: &Path) -> Result<Self, Error> {
        let (mut id, mut seed) = ([0; 8], [0; 32]);
        let random = SystemRandom::new();
        let filled = random.fill(&mut id).and_then(|()| random.fill(&mut seed));
        filled.map_err(|_| Error::file("make", path)(io::Error::other("the system gives no random bytes")))?;
        let refused = || Error::SigningKey { path: path.to_owned() };
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| refused())?;
        let mut bytes = [0; LENGTH];
        bytes[..6].copy_from_slice(&PLAIN);
        bytes[ID..SEED].copy_from_slice(&id);
        bytes[SEED..PUBLIC].copy_from_slice(&seed);
        bytes[PUBLIC..PUBLIC + 32].copy_from_slice(pair.public_key().as_ref());
        let made = Self { id: id.into(), pair };
        let folder = durable::folder_of(path);
        durable::create_folder(folder, 0o700).map_err(Error::file("make", folder))?;
        let text =
            format!("untrusted comment: secret key {} of a module author\n{}\n", made.id, STANDARD.encode(bytes));
        durable::write_new(path, text.as_bytes(), 0o600).map_err(Error::file("write", path))?;
        let public = public_path(path);
        let text = format!("untrusted comment: public key {}\n{}\n", made.id, made.public());
        durable::write_atomic(&public, text.as_bytes(), 0o644).map_err(Error::file("write", &public))?;
        Ok(made)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.lines().nth(1)?.trim()).ok()?;
        if bytes.len() != LENGTH || bytes[..6] != PLAIN {
            return None;
        }
        let id: [u8; 8] = bytes[ID..SEED].try_into().ok()?;
        // Refuses a public half that is not the seed's.
        let pair = Ed25519KeyPair::from_seed_and_public_key(&bytes[SEED..PUBLIC], &bytes[PUBLIC..PUBLIC + 32]).ok()?;
        Some(Self { id: id.into(), pair })
    }

    /// What a minion must trust.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey::new(self.id, key)
    }

    /// The text of a signature file for `bytes`; `name` is that of the file.
    pub fn sign(&self, bytes: &[u8], name: &str) -> String {
        let comment = format!(
            "timestamp:{}\tfile:{name}\thashed\tsha256:{}",
            jiff::Timestamp::now().as_second(),
            Digest::of(bytes)
        );
        let sign = |message: &[u8]| {
            let mut signature = [0; 64];
            signature.copy_from_slice(self.pair.sign(message).as_ref());
            signature
        };
        Signature::make(self.id, bytes, &comment, sign).to_string()
    }

    /// Signs the file at `path`, and returns where the signature is: beside it.
    pub fn sign_file(&self, path: &Path) -> Result<PathBuf, Error> {
        let bytes = fs::read(path).map_err(Error::file("read", path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let signature = signature_path(path);
        let text = self.sign(&bytes, &name);
        durable::write_atomic(&signature, text.as_bytes(), 0o644).map_err(Error::file("write", &signature))?;
        Ok(signature)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where the signature of a file lies.
pub fn signature_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(SIGNATURE_SUFFIX);
    path.into()
}

/// Where the public half of a key lies.
pub fn public_path(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::sys::skip::skip;

    #[test]
    fn a_key_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/author.key");
        let (key, made) = SigningKey::open_or_make(&path).unwrap();
        assert!(made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (again, made) = SigningKey::open_or_make(&path).unwrap();
        assert!(!made && again.public() == key.public());
        assert!(fs::read_to_string(public_path(&path)).unwrap().contains(&key.public().to_string()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SigningKey::open_or_make(&path).unwrap_err();
        assert!(error.to_string().contains("640") && error.hint().is_some(), "{error}");
    }

    #[test]
    fn a_damaged_key_is_no_reason_to_make_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("author.key");
        SigningKey::open_or_make(&path).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in [&whole[..whole.len() - 20], "", &whole.replacen("RWQ", "RWR", 1)] {
            durable::write_atomic(&path, damaged.as_bytes(), 0o600).unwrap();
            assert!(matches!(SigningKey::open_or_make(&path), Err(Error::SigningKey { .. })), "{damaged}");
        }
    }

    #[test]
    fn what_was_signed_is_verified_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (key, _) = SigningKey::open_or_make(&folder.path().join("author.key")).unwrap();
        let signature: Signature = key.sign(b"module", "disk.wasm").parse().unwrap();
        assert!(key.public().verify(b"module", &signature) && !key.public().verify(b"modulE", &signature));
        assert!(signature.comment().contains("file:disk.wasm"));
    }

    /// Needs the program minisign, and says so where it is missing.
    #[test]
    fn minisign_itself_verifies_our_signature_and_signs_with_our_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("author.key");
        let (key, _) = SigningKey::open_or_make(&path).unwrap();
        let file = folder.path().join("disk.wasm");
        fs::write(&file, b"\0asm").unwrap();
        key.sign_file(&file).unwrap();
        let minisign = |args: &[&str]| Command::new("minisign").args(args).arg("-m").arg(&file).output();
        let verify = match minisign(&["-V", "-H", "-P", &key.public().to_string()]) {
            Ok(output) => output,
            Err(error) => return skip("minisign and our signatures", &format!("minisign cannot be run: {error}")),
        };
        assert!(verify.status.success(), "{verify:?}");
        let theirs = folder.path().join("theirs");
        let sign = minisign(&["-S", "-s", path.to_str().unwrap(), "-x", theirs.to_str().unwrap()]).unwrap();
        assert!(sign.status.success(), "{sign:?}");
        assert!(key.public().verify(b"\0asm", &fs::read_to_string(&theirs).unwrap().parse().unwrap()));
    }
}
