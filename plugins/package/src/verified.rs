//! What `dpkg --verify` and `rpm --verify` write: nine marks, a letter for the kind of file, and the path; or `missing`.

use crate::exports::base::packages::package::Altered;

/// The altered files.
pub fn parse(text: &str) -> Vec<Altered> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Altered> {
    let (marks, rest) = line.trim_end().split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (kind, path) = match rest.split_once(' ') {
        Some((kind, path)) if kind.len() == 1 => (kind, path.trim_start()),
        _ => ("", rest),
    };
    let what = if marks == "missing" { vec!["missing".to_owned()] } else { meaning(marks)? };
    // rpm adds why a file could not be looked at.
    let path = path.split(" (").next()?;
    path.starts_with('/').then(|| Altered { path: path.to_owned(), what, is_config: kind == "c" })
}

/// A dot is a check that went well; a question mark, one that could not be made, which dpkg says of all but the contents.
fn meaning(marks: &str) -> Option<Vec<String>> {
    if marks.len() < 8 || !marks.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'?') {
        return None;
    }
    let word = |mark: char| match mark {
        'S' => Some("size"),
        'M' => Some("mode"),
        '5' => Some("contents"),
        'D' => Some("device"),
        'L' => Some("link"),
        'U' => Some("owner"),
        'G' => Some("group"),
        'T' => Some("time"),
        'P' => Some("capabilities"),
        _ => None,
    };
    let mut what: Vec<String> = marks.chars().filter_map(word).map(str::to_owned).collect();
    if what.is_empty() {
        what.push("unreadable".to_owned());
    }
    Some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn altered_files_are_told_with_what_is_wrong() {
        let text = "??5?????? c /etc/issue\n??5??????   /usr/bin/x y\nmissing     /usr/share/a\nmissing   c /etc/b (Permission denied)
S.5....T.  c /etc/ssh/sshd_config\n??????????   /root/x\nprelink: warning\n";
        let told = parse(text);
        let words: Vec<_> = told.iter().map(|a| (a.path.as_str(), a.what.join(" "), a.is_config)).collect();
        assert_eq!(
            words,
            [
                ("/etc/issue", "contents".into(), true),
                ("/usr/bin/x y", "contents".into(), false),
                ("/usr/share/a", "missing".into(), false),
                ("/etc/b", "missing".into(), true),
                ("/etc/ssh/sshd_config", "size contents time".into(), true),
                ("/root/x", "unreadable".into(), false),
            ]
        );
    }
}
