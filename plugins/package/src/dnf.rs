//! What `rpm` and `dnf` write.

use func_sdk::{command::Output, program::lossy, table};

use crate::exports::base::packages::package::{Available, ChangedPackage, Installed};

/// A line a package for `rpm -qa --queryformat`, fields separated by tabs.
pub const FORMAT: &str = "%{NAME}\\t%{EVR}\\t%{ARCH}\\t%{SIZE}\\t%{SUMMARY}\\n";

/// The installed packages. Keys for signatures, which rpm keeps as packages, are none.
pub fn installed(text: &str) -> Vec<Installed> {
    let package = |line: &str| {
        let mut fields = line.splitn(5, '\t').map(str::to_owned);
        let (name, version, architecture) = (fields.next()?, fields.next()?, fields.next()?);
        let size = fields.next()?.parse().unwrap_or(0);
        (name != "gpg-pubkey").then(|| Installed {
            name,
            version,
            architecture,
            size,
            summary: fields.next().unwrap_or_default(),
        })
    };
    text.lines().filter_map(package).collect()
}

/// Lines of `NAME.ARCH VERSION ORIGIN`, up to the list of what has been replaced.
pub fn available(text: &str) -> Vec<Available> {
    let lines = text.lines().take_while(|line| !line.starts_with("Obsoleting"));
    let package = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, version, origin] = words[..] else { return None };
        let name = name.rsplit_once('.')?.0;
        Some(Available {
            name: name.to_owned(),
            installed: None,
            version: version.to_owned(),
            origin: origin.to_owned(),
        })
    };
    lines.filter_map(package).collect()
}

/// A name as rpm and dnf write one with an architecture: `bash.x86_64`.
pub fn name(name: &str) -> String {
    name.replace(':', ".")
}

/// What it complained of, without the options that dnf5 advises to try.
pub fn without_advice(output: Output) -> Output {
    let said = lossy(output.stderr);
    let complaint = said.split("You can try to add to command line:").next().unwrap_or_default();
    Output { stderr: complaint.as_bytes().to_vec(), ..output }
}

/// Whether the text of `dnf --assumeno` has a table of what would change.
pub fn is_table(text: &str) -> bool {
    text.lines().any(ends_table)
}

/// dnf5 adds the colon.
fn ends_table(line: &str) -> bool {
    line.trim_end_matches(':') == "Transaction Summary"
}

/// What would change, by name: headings such as `Upgrading:`, and below each rows of `NAME ARCH VERSION REPOSITORY SIZE`. A
/// name that is too long for its column has a line of its own. dnf5 says of each package that is brought to another version that
/// it replaces itself.
pub fn changes(text: &str, installed: &[Installed]) -> Vec<ChangedPackage> {
    let mut found = Vec::new();
    let (mut heading, mut name) = ("", None);
    for line in text.lines().take_while(|line| !ends_table(line)) {
        if let Some(title) = line.strip_suffix(':').filter(|title| !title.starts_with(' ')) {
            (heading, name) = (title, None);
            continue;
        }
        let row = table::rows(line).next().unwrap_or_default();
        let (who, architecture, version) = match (row[..].split_first(), name.take()) {
            _ if heading.is_empty() || !line.starts_with(' ') => continue,
            (Some((&"replacing", [old, architecture, version, _, ..])), _) => (*old, *architecture, version),
            (Some((&"replacing", [old, version, ..])), _) => {
                let (who, architecture) = old.rsplit_once('.').unwrap_or((old, ""));
                (who, architecture, version)
            }
            (Some((who, [])), _) => {
                name = Some(*who);
                continue;
            }
            (Some((architecture, [version, ..])), Some(who)) => (who, *architecture, version),
            (Some((who, [architecture, version, ..])), None) => (*who, *architecture, version),
            _ => continue,
        };
        let replaced = row[0] == "replacing";
        let goes = heading.starts_with("Removing") || replaced;
        let itself = format!("{who}:{architecture}");
        if replaced && found.iter().any(|change: &ChangedPackage| change.name == itself) {
            continue;
        }
        let is_it = |there: &&Installed| there.name == who && there.architecture == architecture;
        let before = installed.iter().find(is_it).map(|there| there.version.clone());
        found.push(ChangedPackage {
            name: itself,
            before: before.filter(|_| !heading.starts_with("Installing") || goes),
            after: (!goes).then(|| (*version).to_owned()),
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use func_sdk::command::Status;

    use super::*;

    #[test]
    fn what_rpm_lists_is_told() {
        let text =
            "bash\t5.2.26-3.fc40\tx86_64\t8316000\tThe GNU Bourne Again shell\ngpg-pubkey\t1\t(none)\t0\tkey\nx\n";
        let told = installed(text);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].version.as_str(), told[0].size), ("5.2.26-3.fc40", 8_316_000));
    }

    #[test]
    fn what_dnf_would_change_is_told() {
        // As dnf 4.14 wrote it, but for the package that replaces another and the one with a long name.
        let text = "Last metadata expiration check: 0:00:01 ago on Tue Nov 24 13:39:07 2026.\nDependencies resolved.
================================================================================
 Package              Architecture      Version           Repository       Size
================================================================================
Upgrading:
 func-demo            noarch            2.0-1             demo            6.1 k
     replacing  func-old.noarch 0.9-1
Installing dependencies:
 a-package-of-which-the-name-is-too-long
                      noarch            1.0-1             demo              6  
Removing:
 func-gone            noarch            1.0-1            @demo              6  \n
Transaction Summary
================================================================================
Upgrade  1 Package\n\nTotal size: 6.1 k\nOperation aborted.\n";
        let installed = installed(
            "func-demo\t1.0-1\tnoarch\t6\ts\nfunc-old\t0.9-1\tnoarch\t6\ts\nfunc-gone\t1.0-1\tnoarch\t6\ts\n",
        );
        let told: Vec<_> = changes(text, &installed).into_iter().map(|c| (c.name, c.before, c.after)).collect();
        let some = |text: &str| Some(text.to_owned());
        let noarch = |name: &str| format!("{name}:noarch");
        assert_eq!(
            told,
            [
                (noarch("a-package-of-which-the-name-is-too-long"), None, some("1.0-1")),
                (noarch("func-demo"), some("1.0-1"), some("2.0-1")),
                (noarch("func-gone"), some("1.0-1"), None),
                (noarch("func-old"), some("0.9-1"), None),
            ]
        );
        assert!(is_table(text) && !is_table("Nothing to do.\n") && changes("Nothing to do.\n", &installed).is_empty());
    }

    #[test]
    fn what_dnf5_would_change_is_told() {
        // In the form of dnf5's tables.
        let text = "Package        Arch   Version Repository      Size\nUpgrading:
 func-demo      noarch 2.0-1   demo       6.1 KiB\n   replacing func-demo noarch 1.0-1 @demo 6.0 KiB
Installing:\n func-new       noarch 1.0-1   demo       6.0 KiB
   replacing func-old noarch 0.9-1 @demo 6.0 KiB
\nTransaction Summary:\n Upgrading:         1 package\n Replacing:         2 packages
\nOperation aborted by the user.\n";
        let installed = installed("func-demo\t1.0-1\tnoarch\t6\ts\nfunc-old\t0.9-1\tnoarch\t6\ts\n");
        let told: Vec<_> = changes(text, &installed).into_iter().map(|c| (c.name, c.before, c.after)).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("func-demo:noarch".to_owned(), some("1.0-1"), some("2.0-1")),
                ("func-new:noarch".to_owned(), None, some("1.0-1")),
                ("func-old:noarch".to_owned(), some("0.9-1"), None),
            ]
        );
        assert!(is_table(text));
    }

    #[test]
    fn an_error_is_what_dnf_complained_of() {
        let stderr = "Failed to resolve the transaction:\nNo match for argument: nope\nYou can try to add to command line:\n  --skip-unavailable\n";
        let output = Output {
            status: Status::Exited(1),
            stdout: vec![],
            stderr: stderr.into(),
            truncated: false,
            elapsed_ms: 1,
        };
        assert!(without_advice(output).stderr.ends_with(b"No match for argument: nope\n"));
        assert_eq!(name("bash:x86_64"), "bash.x86_64");
    }

    #[test]
    fn what_dnf_offers_is_told() {
        let text = "\nbash.x86_64   5.2.26-4.fc40   updates\nkernel-core.x86_64 6.9.1-200.fc40 updates\n
Obsoleting Packages\na.noarch 1 b\n";
        let told = available(text);
        assert_eq!(told.len(), 2);
        assert_eq!((told[1].name.as_str(), told[1].origin.as_str()), ("kernel-core", "updates"));
    }
}
