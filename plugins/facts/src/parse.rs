//! System, processors and memory, from /etc/os-release (os-release(5)) and /proc (proc(5)).

use func_sdk::{size, table};

use crate::exports::base::facts::facts::{MemorySize, OperatingSystem, Processors};

/// The file's defaults stand in for what it leaves out.
pub fn operating_system(os_release: &str) -> OperatingSystem {
    let value = |name| table::value(os_release, '=', name).map(unquote).filter(|value| !value.is_empty());
    let name = value("NAME").unwrap_or_else(|| "Linux".to_owned());
    OperatingSystem {
        id: value("ID").unwrap_or_else(|| "linux".to_owned()),
        version: value("VERSION_ID"),
        title: value("PRETTY_NAME").unwrap_or_else(|| name.clone()),
        name,
    }
}

/// Values may stand in quotes, with backslashes before what a shell would read.
fn unquote(value: &str) -> String {
    let inner = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let mut text = String::with_capacity(value.len());
    let mut escaped = false;
    for c in inner.unwrap_or(value).chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            text.push(c);
        }
    }
    text
}

/// One `processor` line a processor. What tells the model differs from machine to machine.
pub fn processors(cpuinfo: &str) -> Processors {
    let count = table::pairs(cpuinfo, ':').filter(|(name, _)| *name == "processor").count();
    let model = ["model name", "Model", "cpu model", "cpu", "Hardware"];
    let model = model.iter().find_map(|name| table::value(cpuinfo, ':', name));
    Processors { count: u32::try_from(count).unwrap_or(u32::MAX).max(1), model: model.map(ToOwned::to_owned) }
}

/// None when the file does not tell it.
pub fn memory(meminfo: &str) -> Option<MemorySize> {
    let bytes = |name| table::value(meminfo, ':', name).and_then(size::parse);
    Some(MemorySize { total: bytes("MemTotal")?, swap: bytes("SwapTotal").unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_told_without_its_quotes() {
        let os = operating_system("PRETTY_NAME=\"A \\\"big\\\" \\$ystem 1\"\nNAME='A'\nVERSION_ID=\"1\"\nID=a\n# x\n");
        assert_eq!((os.id.as_str(), os.name.as_str(), os.version.as_deref()), ("a", "A", Some("1")));
        assert_eq!(os.title, "A \"big\" $ystem 1");
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let os = operating_system("");
        assert_eq!((os.id.as_str(), os.name.as_str(), os.version), ("linux", "Linux", None));
        assert_eq!(os.title, "Linux");
    }

    #[test]
    fn processors_are_counted() {
        let text = "processor\t: 0\nmodel name\t: Fast: very\n\nprocessor\t: 1\nmodel name\t: Fast: very\n";
        let told = processors(text);
        assert_eq!((told.count, told.model.as_deref()), (2, Some("Fast: very")));
        assert_eq!((processors("").count, processors("").model), (1, None));
    }

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(memory("MemTotal: 2 kB\nSwapTotal: 1 kB\n").map(|m| (m.total, m.swap)), Some((2048, 1024)));
        assert!(memory("").is_none());
    }
}
