//! The facts that this module contributes to the minion's.

use func_sdk::{Error, Result};

use crate::{
    Facts,
    exports::{
        base::facts::facts::Guest as Methods,
        minion::host::facts::{Fact, Guest, Scalar},
    },
};

/// A fact's name and how it is told: none where the machine does not have it.
type Source = (&'static str, fn() -> Result<Option<Scalar>>);

const SOURCES: [Source; 9] = [
    ("hostname", || Facts::hostname().map(|name| Some(Scalar::Text(name)))),
    ("os_id", || Facts::os().map(|os| Some(Scalar::Text(os.id)))),
    ("os_name", || Facts::os().map(|os| Some(Scalar::Text(os.name)))),
    ("os_version", || Facts::os().map(|os| os.version.map(Scalar::Text))),
    ("kernel", || Facts::kernel().map(|kernel| Some(Scalar::Text(kernel.release)))),
    ("cpus", || Facts::cpus().map(|cpus| Some(Scalar::Int(cpus.count.into())))),
    ("cpu_model", || Facts::cpus().map(|cpus| cpus.model.map(Scalar::Text))),
    ("memory", || Facts::memory().map(|memory| i64::try_from(memory.total).ok().map(Scalar::Int))),
    ("addresses", || Facts::addresses().map(|addresses| Some(Scalar::Texts(addresses)))),
];

impl Guest for Facts {
    fn collect(want: Vec<String>) -> Result<Vec<Fact>> {
        let wanted = SOURCES.iter().filter(|(name, _)| want.is_empty() || want.iter().any(|wanted| wanted == name));
        gather(wanted.map(|(name, tell)| (*name, tell())))
    }
}

/// A fact that cannot be told is left out, unless none can: then the first reason is the answer.
fn gather(told: impl Iterator<Item = (&'static str, Result<Option<Scalar>>)>) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let mut failure: Option<Error> = None;
    for (name, value) in told {
        match value {
            Ok(Some(value)) => facts.push(Fact { name: name.to_owned(), value }),
            Ok(None) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) if facts.is_empty() => Err(error),
        _ => Ok(facts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fact_that_fails_does_not_hide_the_others() {
        let no = || Error::failed("no");
        let told = gather([("a", Err(no())), ("b", Ok(None)), ("c", Ok(Some(Scalar::Int(1))))].into_iter());
        assert_eq!(told, Ok(vec![Fact { name: "c".to_owned(), value: Scalar::Int(1) }]));
        assert_eq!(gather([("a", Err(no())), ("b", Ok(None))].into_iter()), Err(no()));
    }

    #[test]
    fn names_of_facts_are_plain() {
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(SOURCES.iter().all(|(name, _)| plain(name)));
    }
}
