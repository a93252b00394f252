//! The tables of /proc and of programs' output.

/// The lines of a table as columns, split at white space. Empty lines are left out.
pub fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|row| !row.is_empty())
}

/// The lines of a file such as /etc/passwd as fields with one `separator` between them, white space kept. Empty lines and
/// those that begin with `#` are left out.
pub fn fields(text: &str, separator: char) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(move |line| line.split(separator).collect())
}

/// Lines of names and values, such as `MemTotal:  16384 kB` of /proc/meminfo or `NAME="Debian"` of /etc/os-release.
///
/// The separator is the first `separator` of a line; lines without one are left out, and white space around name and
/// value is cut off.
pub fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(move |line| line.split_once(separator)).map(|(name, value)| (name.trim(), value.trim()))
}

/// The value of one name in [`pairs`].
pub fn value<'a>(text: &'a str, separator: char, name: &str) -> Option<&'a str> {
    pairs(text, separator).find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_at_any_white_space() {
        assert_eq!(rows("a  b\tc\n\n d\n").collect::<Vec<_>>(), [vec!["a", "b", "c"], vec!["d"]]);
    }

    #[test]
    fn fields_may_be_empty_and_comments_are_none() {
        assert_eq!(fields("# x:y\na::b c\n\n", ':').collect::<Vec<_>>(), [vec!["a", "", "b c"]]);
    }

    #[test]
    fn a_value_may_hold_the_separator() {
        let text = "Name:\tx:y\nno separator\nMemTotal:   10 kB\n";
        assert_eq!(pairs(text, ':').collect::<Vec<_>>(), [("Name", "x:y"), ("MemTotal", "10 kB")]);
        assert_eq!(value(text, ':', "MemTotal"), Some("10 kB"));
        assert_eq!(value(text, ':', "SwapTotal"), None);
    }
}
