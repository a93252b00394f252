//! Texts that are sent to a method and are written down nowhere.
//!
//! A secret is text on the wire and `[secret]` everywhere else: in its `Debug` and `Display`, as JSON, and
//! in everything that serde writes, which is how journals and the job store are written. What was read
//! back from there is *gone*: it has no text, fits no type and cannot be sent. So no journal, store or log
//! can hold the text of a [`Value::Secret`], whoever writes it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::Value;

/// What is shown in place of a secret.
pub const SECRET: &str = "[secret]";

/// A text that is not written down. Its memory is cleared when the last copy of it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Option<Arc<Zeroizing<String>>>);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Some(Arc::new(Zeroizing::new(text.into()))))
    }

    /// A secret whose text is not here.
    pub const fn gone() -> Self {
        Self(None)
    }

    /// Its text, if that is here.
    pub fn text(&self) -> Option<&str> {
        self.0.as_ref().map(|text| text.as_str())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self::gone())
    }
}

/// The secrets of a call, in the order in which they stand in its arguments: what goes beside the arguments
/// where those are written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

/// The secrets that were given are not those that are missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the call has {wanted} secrets, and {given} were given")]
pub struct WrongSecrets {
    /// How many secrets the arguments have.
    pub wanted: usize,
    /// How many there were.
    pub given: usize,
}

impl Secrets {
    /// Those of these arguments.
    pub fn of(args: &[Value]) -> Self {
        let mut found = Vec::new();
        for arg in args {
            each(arg, &mut |secret| found.push(secret.clone()));
        }
        Self(found)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the text of each is here.
    pub fn are_here(&self) -> bool {
        self.0.iter().all(|secret| secret.text().is_some())
    }

    /// Their texts, as far as they are here.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(Secret::text)
    }

    /// Puts them where arguments that were read back have none.
    pub fn fill(&self, args: &mut [Value]) -> Result<(), WrongSecrets> {
        let wanted = Self::of(args).len();
        if wanted != self.len() {
            return Err(WrongSecrets { wanted, given: self.len() });
        }
        let mut rest = self.0.iter();
        for arg in args {
            each_mut(arg, &mut |secret| secret.clone_from(rest.next().unwrap_or(&GONE)));
        }
        Ok(())
    }
}

static GONE: Secret = Secret::gone();

impl FromIterator<Secret> for Secrets {
    fn from_iter<T: IntoIterator<Item = Secret>>(secrets: T) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl Secrets {
    /// Their texts as bytes, for memory that two processes share and nothing else.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let texts: Vec<Option<&str>> = self.0.iter().map(Secret::text).collect();
        // Texts can always be written; were they not, the reader would find too few.
        Zeroizing::new(postcard::to_stdvec(&texts).unwrap_or_default())
    }

    /// Reads such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let texts: Vec<Option<String>> = postcard::from_bytes(bytes).ok()?;
        Some(texts.into_iter().map(|text| text.map_or(Secret::gone(), Secret::new)).collect())
    }
}

fn each(value: &Value, found: &mut impl FnMut(&Secret)) {
    match value {
        Value::Secret(secret) => found(secret),
        Value::Array(items) => items.iter().for_each(|item| each(item, found)),
        Value::Struct(members) => members.values().for_each(|member| each(member, found)),
        _ => {}
    }
}

fn each_mut(value: &mut Value, found: &mut impl FnMut(&mut Secret)) {
    match value {
        Value::Secret(secret) => found(secret),
        Value::Array(items) => items.iter_mut().for_each(|item| each_mut(item, found)),
        Value::Struct(members) => members.values_mut().for_each(|member| each_mut(member, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> Vec<Value> {
        let secret = |text: &str| Value::Secret(Secret::new(text));
        vec!["bob".into(), Value::structure([("b", secret("two")), ("a", vec![secret("one"), Value::Nil].into())])]
    }

    #[test]
    fn nothing_that_is_written_of_a_secret_is_its_text() {
        let args = args();
        let written = [
            format!("{args:?}"),
            args[1].to_json().to_string(),
            String::from_utf8_lossy(&postcard::to_stdvec(&args).unwrap()).into_owned(),
            serde_json::to_string(&args).unwrap(),
            Secret::new("one").to_string(),
        ];
        for text in written {
            assert!(!text.contains("one") && !text.contains("two"), "{text}");
        }
    }

    #[test]
    fn what_was_read_back_can_be_filled_in_again() {
        let secrets = Secrets::of(&args());
        let mut read: Vec<Value> = postcard::from_bytes(&postcard::to_stdvec(&args()).unwrap()).unwrap();
        assert!(secrets.are_here() && !Secrets::of(&read).are_here() && read != args());
        let carried = Secrets::from_bytes(&secrets.to_bytes()).unwrap();
        assert_eq!(carried, secrets);
        carried.fill(&mut read).unwrap();
        assert_eq!(read, args());
        let wrong = [Secret::new("x")].into_iter().collect::<Secrets>().fill(&mut read).unwrap_err();
        assert_eq!(wrong, WrongSecrets { wanted: 2, given: 1 });
    }
}
