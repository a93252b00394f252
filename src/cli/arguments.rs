//! Arguments of a call: from words on the command line to values of the types that the method declares.
//!
//! What refers to a secret becomes one, where the method takes one and nowhere else.

use super::secrets::{Given, Place, WAYS};
use crate::ids::MethodName;
use crate::overlord::{Misfit, Parameter, json_or_text, typed};
use crate::wire::Value;

/// A word that is not what its parameter wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// It is not of the type, or there are too few or too many.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A secret that everybody on this machine can see.
    #[error(
        "argument {position} (`{name}`) has a secret in it, and what stands on a command line is seen by everybody on this \
         machine: write {} in its place",
        WAYS
    )]
    InClear {
        /// Counted from 1.
        position: usize,
        /// The parameter.
        name: String,
    },
    /// A secret where nothing is one.
    #[error(
        "argument {position} (`{name}`) is no secret to the method: it would be written into logs and journals as it is"
    )]
    NotSecret {
        /// Counted from 1.
        position: usize,
        /// The parameter.
        name: String,
    },
}

/// Converts the words of a call to `method` by its parameters.
pub(super) fn convert(
    method: &MethodName,
    words: &[String],
    parameters: &[Parameter],
    given: &Given,
) -> Result<Vec<Value>, Error> {
    let values = typed(method, words, parameters)?;
    let places = values.into_iter().zip(parameters).enumerate();
    places.map(|(index, (value, parameter))| put_secrets(index + 1, parameter, value, given)).collect()
}

/// Puts what was given where the words refer to it, which is where the method takes a secret and nowhere else.
fn put_secrets(position: usize, parameter: &Parameter, value: Value, given: &Given) -> Result<Value, Error> {
    let name = || parameter.name.clone();
    if parameter.secrecy.is_open() {
        return if Given::refers(&value) { Err(Error::NotSecret { position, name: name() }) } else { Ok(value) };
    }
    let mut sealed = parameter.secrecy.seal(value);
    let (mut in_clear, mut misplaced) = (false, false);
    given.put(&mut sealed, &mut |place| match place {
        Place::Clear => in_clear = true,
        Place::Open => misplaced = true,
    });
    match (in_clear, misplaced) {
        (true, _) => Err(Error::InClear { position, name: name() }),
        (_, true) => Err(Error::NotSecret { position, name: name() }),
        _ => Ok(sealed),
    }
}

/// The value of a word whose type nobody knows: JSON when it is JSON, text otherwise.
///
/// What refers to a secret is one all the same.
pub(super) fn untyped(word: &str, given: &Given) -> Value {
    let mut value = json_or_text(word);
    given.put(&mut value, &mut |_| {});
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Secrecy, Secret};

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_secret_is_referred_to_and_stands_where_the_method_takes_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let word = format!("@secret:{}", file.display());
        let secret = || Value::Secret(Secret::new("hunter2"));
        let wanted = [
            Parameter::plain("name", "string", false),
            Parameter { secrecy: Secrecy::Secret, ..Parameter::plain("password", "string", true) },
            Parameter { secrecy: Secrecy::Each(Box::new(Secrecy::Secret)), ..Parameter::plain("more", "list", true) },
        ];
        let convert = |given: &[&str]| {
            let given = words(given);
            convert(&"users.password".parse().unwrap(), &given, &wanted, &Given::gather(&given).unwrap())
        };
        assert_eq!(convert(&["bob", &word]).unwrap(), ["bob".into(), secret()]);
        assert_eq!(convert(&["bob", "nil"]).unwrap(), ["bob".into(), Value::Nil]);
        let list = format!("[\"{word}\"]");
        assert_eq!(convert(&["bob", &word, &list]).unwrap()[2], vec![secret()].into());
        for refused in [&["bob", "hunter2"][..], &["bob", "nil", "[\"hunter2\"]"]] {
            let text = convert(refused).unwrap_err().to_string();
            assert!(text.contains("@secret:FILE") && !text.contains("hunter2"), "{text}");
        }
        assert!(convert(&[&word]).unwrap_err().to_string().contains("(`name`) is no secret"));
        assert_eq!(untyped(&word, &Given::gather(&words(&[&word])).unwrap()), secret());
    }
}
