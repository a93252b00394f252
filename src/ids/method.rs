//! Module and method names, as they travel on the wire.

use std::str::FromStr;

use super::{InvalidId, text::serde_as_text, text::text_id};

/// The name of a module: short (`disk`, `netapp.vol`) or full (`acme:disk/disk`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleName(String);

text_id!(ModuleName);

impl FromStr for ModuleName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = |why| Err(InvalidId::new("module name", text, why));
        if text.is_empty() || text.len() > 200 {
            return refuse("it has 1 to 200 characters");
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b);
        if !text.bytes().all(allowed) {
            return refuse("only letters, digits and `_ - . : /` are allowed");
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.ends_with(['.', ':', '/']) {
            return refuse("it begins with a letter and ends with a letter or digit");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What comes before the name of a method that is only to be checked.
const CHECK: &str = "check.";

/// A module and one of its methods: `disk.usage`, `acme:disk/disk.usage`.
///
/// The method is what follows the last dot. A `-` in it is written `_` on the wire, and read either
/// way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MethodName {
    module: ModuleName,
    method: String,
}

impl MethodName {
    /// The module part.
    pub fn module(&self) -> &ModuleName {
        &self.module
    }

    /// The name by which a check of this method is called, which does nothing but say what the method would
    /// do: `check.disk.usage`.
    #[must_use]
    pub fn check(&self) -> Self {
        Self { module: ModuleName(format!("{CHECK}{}", self.module)), method: self.method.clone() }
    }

    /// The method whose check this names, if it names one.
    pub fn checked(&self) -> Option<Self> {
        let module = self.module.0.strip_prefix(CHECK)?.parse().ok()?;
        Some(Self { module, method: self.method.clone() })
    }

    /// The method part, with `_` for every `-`.
    pub fn method(&self) -> &str {
        &self.method
    }
}

impl FromStr for MethodName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = |why| InvalidId::new("method name", text, why);
        let (module, method) = text.rsplit_once('.').ok_or_else(|| refuse("write it as MODULE.METHOD"))?;
        let module = module.parse().map_err(|error: InvalidId| refuse(error.why))?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if method.is_empty() || method.len() > 200 || !method.bytes().all(allowed) {
            return Err(refuse("the method has 1 to 200 letters, digits, `_` or `-`"));
        }
        Ok(Self { module, method: method.replace('-', "_") })
    }
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.module, self.method)
    }
}

serde_as_text!(MethodName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_is_what_follows_the_last_dot() {
        let name: MethodName = "netapp.vol.clone".parse().unwrap();
        assert_eq!((name.module().as_str(), name.method()), ("netapp.vol", "clone"));
        let name: MethodName = "acme:disk/disk.get-usage".parse().unwrap();
        assert_eq!(name.to_string(), "acme:disk/disk.get_usage");
    }

    #[test]
    fn a_check_has_a_name_of_its_own() {
        let name: MethodName = "acme:disk/disk.usage".parse().unwrap();
        assert_eq!(name.check().to_string(), "check.acme:disk/disk.usage");
        assert_eq!("check.acme:disk/disk.usage".parse::<MethodName>().unwrap(), name.check());
        assert_eq!((name.check().checked(), name.checked()), (Some(name), None));
        assert_eq!("check.usage".parse::<MethodName>().unwrap().checked(), None);
    }

    #[test]
    fn names_without_a_method_or_with_odd_characters_are_refused() {
        for text in ["", "disk", ".usage", "disk.", "disk.a b", "1disk.usage", "disk.\u{0}", "../disk.usage"] {
            assert!(text.parse::<MethodName>().is_err(), "{text:?}");
        }
    }
}
