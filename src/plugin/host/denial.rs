//! What a module hears when it was not granted something, and host errors in its terms.

use std::{io, path::Path};

use super::{Error, ErrorKind, error};
pub(super) use crate::plugin::Right;
use crate::{access::Arguments, config, ids::ModuleName};

/// What comes before the lines to add in the hint of a denial.
const TO_ALLOW: &str = "to allow it, add to the minion's configuration:\n";

/// The lines to add, of a denial's hint.
pub(in crate::plugin) fn grant_lines(hint: &str) -> &str {
    hint.strip_prefix(TO_ALLOW).unwrap_or(hint)
}

/// A hint that says what would allow it, as TOML that can be pasted.
fn allow(module: &ModuleName, right: &str, value: impl Into<toml::Value>) -> String {
    let lines = config::lines(&["grants", module.as_str()], right, &value.into().to_string());
    format!("{TO_ALLOW}{lines}")
}

/// The denial, with the lines that the operator would have to add.
pub(super) fn denied(module: &ModuleName, right: Right, asked: &str, real: &Path) -> Error {
    // `/proc/self` is another folder in each worker, so its own name is the one to grant.
    let real = if real.starts_with(format!("/proc/{}", std::process::id())) {
        asked.into()
    } else {
        real.display().to_string()
    };
    let leads = if real == asked { String::new() } else { format!(" (which leads to `{}`)", shown(&real)) };
    error(
        ErrorKind::Denied,
        format!("the module `{module}` may not {right} `{}`{leads}", shown(asked)),
        Some(allow(module, &right.to_string(), real)),
    )
}

/// The denial of a program that may be run, but not so.
pub(super) fn denied_with(module: &ModuleName, asked: &str, real: &Path, arguments: &[String]) -> Error {
    let given = arguments.iter().map(|argument| format!("`{}`", shown(argument))).collect::<Vec<_>>().join(" ");
    let given = if given.is_empty() { "without arguments".to_owned() } else { format!("with the arguments {given}") };
    let mut entry = toml::Table::new();
    entry.insert("program".to_owned(), real.display().to_string().into());
    entry.insert("args".to_owned(), Arguments::exactly(arguments).into());
    error(
        ErrorKind::Denied,
        format!("the module `{module}` may not run `{}` {given}", shown(asked)),
        Some(allow(module, "run", entry)),
    )
}

/// The denial of a variable for a program.
pub(super) fn denied_variable(module: &ModuleName, name: &str) -> Error {
    error(
        ErrorKind::Denied,
        format!("the module `{module}` may not set the variable `{}` for programs", shown(name)),
        Some(allow(module, "env", name)),
    )
}

/// The denial of something that is neither a file nor a program: what, and the entry of which list would
/// allow it.
pub(super) fn denied_entry(module: &ModuleName, what: &str, list: &str, entry: &str) -> Error {
    error(ErrorKind::Denied, format!("the module `{module}` may not {what}"), Some(allow(module, list, entry)))
}

/// What the machine said about `what`.
pub(super) fn failed(what: &str, source: &io::Error) -> Error {
    use io::ErrorKind as Io;
    let kind = match source.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::AlreadyExists => ErrorKind::AlreadyExists,
        Io::FileTooLarge => ErrorKind::TooLarge,
        Io::Unsupported => ErrorKind::Unsupported,
        Io::ResourceBusy | Io::WouldBlock => ErrorKind::Busy,
        Io::IsADirectory | Io::NotADirectory | Io::InvalidInput | Io::InvalidFilename => ErrorKind::Invalid,
        _ if source.raw_os_error() == Some(nix::libc::ELOOP) => ErrorKind::Invalid,
        _ => ErrorKind::Failed,
    };
    let source = source.to_string();
    let source = source.split(" (os error").next().unwrap_or_default();
    error(kind, format!("`{}`: {source}", shown(what)), None)
}

/// Something that makes no sense.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    error(ErrorKind::Invalid, message, None)
}

/// A text that a module gave, fit for a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(300).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Grant;

    /// What the hint of a denial grants to a module, read as a minion's configuration.
    fn granted(denial: &Error, module: &str) -> Grant {
        let lines = grant_lines(denial.hint.as_ref().unwrap());
        let tables: toml::Table = toml::from_str(lines).unwrap_or_else(|error| panic!("{error}: {lines}"));
        let grants: crate::access::Grants = tables["grants"].clone().try_into().unwrap();
        assert_eq!((tables.len(), grants.modules().count()), (1, 1), "{lines}");
        let module = module.parse().unwrap();
        grants.for_module(&module, &module)
    }

    #[test]
    fn a_denial_names_the_lines_to_add() {
        let denial = denied(&"disk".parse().unwrap(), Right::Read, "/etc/os-release", Path::new("/usr/lib/os-release"));
        assert_eq!(
            denial.message,
            "the module `disk` may not read `/etc/os-release` (which leads to `/usr/lib/os-release`)"
        );
        assert_eq!(grant_lines(denial.hint.as_ref().unwrap()), "[grants.disk]\nread = [\"/usr/lib/os-release\"]");
        let own = format!("/proc/{}/mounts", std::process::id());
        let own = denied(&"disk".parse().unwrap(), Right::Read, "/proc/mounts", Path::new(&own));
        assert!(own.hint.unwrap().ends_with(r#"read = ["/proc/mounts"]"#));
    }

    #[test]
    fn what_a_denial_names_is_a_configuration_whatever_was_asked_for() {
        for (module, path) in [("disk", "/plain"), ("net.vol", "/a\"b\\'c"), ("acme:x/y", "/a\n]\u{7f}\u{1b}é")] {
            let name = module.parse().unwrap();
            let read = denied(&name, Right::Read, path, Path::new(path));
            assert_eq!(granted(&read, module).read.len(), 1, "{path:?}");
            let run = denied_with(&name, path, Path::new(path), &["-x".to_owned(), "\"]\n".to_owned()]);
            assert_eq!(granted(&run, module).run.len(), 1, "{path:?}");
            assert_eq!(granted(&denied_variable(&name, "LC_ALL"), module).env.len(), 1);
        }
    }
}
