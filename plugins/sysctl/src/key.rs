//! Names of parameters, and the files that they mean.

use func_sdk::{Error, ErrorKind, Result, checked};

use crate::ROOT;

/// The name of a parameter: the parts of its path below /proc/sys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Reads a name. As in sysctl(8) the first separator decides what separates: after a dot, dots do and a slash is a
    /// dot in a part; after a slash, slashes do.
    pub fn parse(name: &str) -> Result<Self> {
        let name = checked::argument("parameter", name)?;
        let dots = name.find(['.', '/']).is_none_or(|at| name.as_bytes()[at] == b'.');
        let path = if dots { swap(name) } else { name.to_owned() };
        let part_is_wrong = |part: &str| part.is_empty() || part == "." || part == "..";
        if path.len() > 1024 || path.split('/').any(part_is_wrong) {
            return Err(Error::invalid(format!("{} is no name of a parameter", checked::shown(name))));
        }
        Ok(Self(path))
    }

    /// The parameter's file.
    pub fn path(&self) -> String {
        format!("{ROOT}/{}", self.0)
    }

    /// The name as sysctl(8) writes it.
    pub fn name(&self) -> String {
        name_of(&self.0)
    }

    /// The error in terms of parameters, when there is no such file.
    pub fn missing(&self, error: Error) -> Error {
        match error.kind {
            ErrorKind::NotFound => {
                Error::no_such("parameter", &self.name(), "sysctl.list").hint("list them with `sysctl.list`")
            }
            ErrorKind::Invalid => {
                Error::invalid(format!("{} is no parameter but a group of them", checked::shown(&self.name())))
            }
            _ => error,
        }
    }

    /// The error in terms of parameters, when the kernel does not take the value.
    pub fn refused(&self, value: &str, error: Error) -> Error {
        match error.kind {
            ErrorKind::Invalid | ErrorKind::Failed => {
                let (name, value) = (checked::shown(&self.name()), checked::shown(value));
                Error::invalid(format!("the kernel does not take {value} for {name}: {}", error.message))
            }
            _ => self.missing(error),
        }
    }
}

/// The name of the path below /proc/sys.
pub fn name_of(path: &str) -> String {
    swap(path)
}

fn swap(text: &str) -> String {
    let other = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    text.chars().map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_with_dots_or_slashes() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/conf/eth0.7/forwarding", "net/ipv4/conf/eth0.7/forwarding"),
            ("net.ipv4.conf.eth0/7.forwarding", "net/ipv4/conf/eth0.7/forwarding"),
            ("kernel", "kernel"),
        ] {
            assert_eq!(Key::parse(name).unwrap().0, path, "{name}");
        }
        assert_eq!(Key::parse("net/ipv4/conf/eth0.7/forwarding").unwrap().name(), "net.ipv4.conf.eth0/7.forwarding");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = "a.".repeat(600_000);
        for name in
            ["", ".", "..", "net/../../etc/passwd", "/etc/passwd", "net..ipv4", "-w", "a\0b", "a\nb", "a/./b", &long]
        {
            assert!(Key::parse(name).is_err(), "{name:.40}");
        }
        assert!(Key::parse("net.//.//.x").is_err(), "dots hidden as slashes");
    }

    #[test]
    fn errors_speak_of_parameters() {
        let key = Key::parse("kernel.nothing").unwrap();
        assert_eq!(key.missing(Error::not_found("x")).message, "there is no parameter `kernel.nothing`");
        let refused = key.refused("y", Error::invalid("`/proc/sys/kernel/nothing`: Invalid argument"));
        assert!(refused.message.contains("does not take `y`"), "{}", refused.message);
        assert_eq!(key.refused("y", Error::new(ErrorKind::Denied, "no")).kind, ErrorKind::Denied);
    }
}
