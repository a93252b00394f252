//! What is to be mounted, from /etc/fstab (fstab(5)).

use func_sdk::table;

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// What is to be mounted.
    pub device: String,
    /// Where.
    pub point: String,
    /// The kind of file system.
    pub kind: String,
    /// The options.
    pub options: Vec<String>,
}

/// The lines that make sense. White space in a field is written as `\040` or `\011`.
pub fn parse(text: &str) -> Vec<Line> {
    let line = |row: Vec<&str>| {
        let [device, point, kind, ..] = row[..] else { return None };
        let options = row.get(3).map(|options| options.split(',').map(str::to_owned).collect());
        Some(Line {
            device: unescape(device),
            point: plain(&unescape(point)),
            kind: kind.to_owned(),
            options: options.unwrap_or_default(),
        })
    };
    table::rows(text).filter(|row| !row[0].starts_with('#')).filter_map(line).collect()
}

/// A path without slashes at its end and without double ones, as the kernel writes it.
pub fn plain(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    format!("/{}", parts.collect::<Vec<_>>().join("/"))
}

fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_comments_are_not() {
        let text = "# what\nUUID=1 / ext4 rw,discard 0 1\n\nLABEL=my\\040disk /mnt/a/ xfs\nx y\n/swap none swap sw\n";
        let lines = parse(text);
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].point.as_str(), lines[0].options.len()), ("/", 2));
        assert_eq!((lines[1].device.as_str(), lines[1].point.as_str()), ("LABEL=my disk", "/mnt/a"));
        assert!(lines[1].options.is_empty());
        assert_eq!(lines[2].point, "none");
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (path, told) in [("/", "/"), ("//a//b/", "/a/b"), ("/a/./b", "/a/b"), ("none", "none")] {
            assert_eq!(plain(path), told);
        }
    }
}
