//! What a module hears when it was not granted something, and host errors in its terms.

use std::{io, path::Path};

use super::{Error, ErrorKind, error};
pub(super) use crate::plugin::Right;
use crate::{access::Arguments, ids::ModuleName};

/// What comes before the line to add in the hint of a denial.
const TO_ALLOW: &str = "to allow it, add to the minion's configuration: ";

/// The line to add, of a denial's hint.
pub(in crate::plugin) fn grant_line(hint: &str) -> &str {
    hint.strip_prefix(TO_ALLOW).unwrap_or(hint)
}

/// The denial, with the line that the operator would have to add.
pub(super) fn denied(module: &ModuleName, right: Right, asked: &str, real: &Path) -> Error {
    let table = table(module);
    // `/proc/self` is another folder in each worker, so its own name is the one to grant.
    let real = if real.starts_with(format!("/proc/{}", std::process::id())) {
        asked.into()
    } else {
        real.display().to_string()
    };
    let leads = if real == asked { String::new() } else { format!(" (which leads to `{}`)", shown(&real)) };
    let line = serde_json::Value::from(real);
    error(
        ErrorKind::Denied,
        format!("the module `{module}` may not {right} `{}`{leads}", shown(asked)),
        Some(format!("{TO_ALLOW}[grants.{table}] {right} = [{line}]")),
    )
}

/// The denial of a program that may be run, but not so.
pub(super) fn denied_with(module: &ModuleName, asked: &str, real: &Path, arguments: &[String]) -> Error {
    let given = arguments.iter().map(|argument| format!("`{}`", shown(argument))).collect::<Vec<_>>().join(" ");
    let given = if given.is_empty() { "without arguments".to_owned() } else { format!("with the arguments {given}") };
    let args = toml::Value::from(Arguments::exactly(arguments));
    let program = toml::Value::from(real.display().to_string());
    let line = format!("run = [{{ program = {program}, args = {args} }}]");
    error(
        ErrorKind::Denied,
        format!("the module `{module}` may not run `{}` {given}", shown(asked)),
        Some(format!("{TO_ALLOW}[grants.{}] {line}", table(module))),
    )
}

/// The denial of a variable for a program.
pub(super) fn denied_variable(module: &ModuleName, name: &str) -> Error {
    error(
        ErrorKind::Denied,
        format!("the module `{module}` may not set the variable `{}` for programs", shown(name)),
        Some(format!("{TO_ALLOW}[grants.{}] env = [{}]", table(module), toml::Value::from(name))),
    )
}

/// The denial of something that is neither a file nor a program: what, and the entry of which list would
/// allow it.
pub(super) fn denied_entry(module: &ModuleName, what: &str, list: &str, entry: &str) -> Error {
    error(
        ErrorKind::Denied,
        format!("the module `{module}` may not {what}"),
        Some(format!("{TO_ALLOW}[grants.{}] {list} = [{}]", table(module), toml::Value::from(entry))),
    )
}

fn table(module: &ModuleName) -> String {
    if module.as_str().contains([':', '/', '.']) { format!("\"{module}\"") } else { module.to_string() }
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

    #[test]
    fn a_denial_names_the_line_to_add() {
        let denial = denied(&"disk".parse().unwrap(), Right::Read, "/etc/os-release", Path::new("/usr/lib/os-release"));
        assert_eq!(
            denial.message,
            "the module `disk` may not read `/etc/os-release` (which leads to `/usr/lib/os-release`)"
        );
        let line = "[grants.disk] read = [\"/usr/lib/os-release\"]";
        assert!(denial.hint.as_ref().unwrap().ends_with(line), "{denial:?}");
        let toml = line.replace("] ", "]\n");
        let tables: toml::Table = toml::from_str(&toml).unwrap();
        let grants: crate::access::Grants = tables["grants"].clone().try_into().unwrap();
        assert_eq!(grants.modules().count(), 1);
        let own = format!("/proc/{}/mounts", std::process::id());
        let own = denied(&"disk".parse().unwrap(), Right::Read, "/proc/mounts", Path::new(&own));
        assert!(own.hint.unwrap().ends_with(r#"read = ["/proc/mounts"]"#));
        let dotted = denied(&"net.vol".parse().unwrap(), Right::Run, "/a\"b", Path::new("/a\"b"));
        assert!(dotted.hint.unwrap().ends_with(r#"[grants."net.vol"] run = ["/a\"b"]"#));
    }
}
