//! Adding a value to a list in a TOML file, and leaving everything else as somebody wrote it.
//!
//! The text is changed at one place: after the last value of the list, at the end of the table's own lines,
//! or at the end of the file. The result is read again and must say what was there before and the new value
//! and nothing else; where that cannot be had, because the table is written in one line, say, nothing is
//! changed.

use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotAmended {
    /// The text is no TOML as it is.
    #[error("it is not valid TOML")]
    Invalid(#[source] Box<toml::de::Error>),
    /// The value is none.
    #[error("`{0}` is no TOML value")]
    Value(String),
    /// The place is written in a form that cannot be added to.
    #[error("it is written in a form that is not changed by programs; add to it by hand:\n{line}")]
    ByHand {
        /// What to add.
        line: String,
    },
}

/// The text with `value`, written as TOML, added to the list `key` of the table `path`. The same text when
/// the list has it already.
pub fn add_to_list(text: &str, path: &[&str], key: &str, value: &str) -> Result<String, NotAmended> {
    let item = parse_value(value)?;
    let before: Table = toml::from_str(text).map_err(|error| NotAmended::Invalid(Box::new(error)))?;
    let by_hand = || NotAmended::ByHand { line: lines(path, key, value) };
    let mut wanted = before.clone();
    let list = entry(&mut wanted, path, key).ok_or_else(by_hand)?;
    if list.contains(&item) {
        return Ok(text.to_owned());
    }
    list.push(item);
    let amended = insert(text, path, key, value).ok_or_else(by_hand)?;
    match toml::from_str::<Table>(&amended) {
        Ok(after) if after == wanted => Ok(amended),
        _ => Err(by_hand()),
    }
}

/// The table and the list as one would write them.
pub fn lines(path: &[&str], key: &str, value: &str) -> String {
    let path: Vec<String> = path.iter().map(|part| bare_or_quoted(part)).collect();
    format!("[{}]\n{key} = [{value}]", path.join("."))
}

fn parse_value(text: &str) -> Result<Value, NotAmended> {
    let table = toml::from_str::<Table>(&format!("value = {text}")).ok().filter(|table| table.len() == 1);
    table.and_then(|mut table| table.remove("value")).ok_or_else(|| NotAmended::Value(text.to_owned()))
}

fn bare_or_quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { key.to_owned() } else { Value::from(key).to_string() }
}

/// The list in the tables, made where it is missing.
fn entry<'a>(root: &'a mut Table, path: &[&str], key: &str) -> Option<&'a mut Vec<Value>> {
    let mut table = root;
    for part in path {
        table = table.entry(*part).or_insert_with(|| Value::Table(Table::new())).as_table_mut()?;
    }
    table.entry(key).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
}

fn insert(text: &str, path: &[&str], key: &str, value: &str) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut place = 0;
    for part in path {
        let found = table.iter().find(|(name, _)| name.get_ref() == *part);
        let Some((_, found)) = found else {
            let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            return Some(format!("{text}{gap}\n{}\n", lines(path, key, value)));
        };
        place = found.span().end;
        table = found.get_ref().as_table()?;
    }
    if let Some((_, list)) = table.iter().find(|(name, _)| name.get_ref() == key) {
        let span = list.span();
        let DeValue::Array(items) = list.get_ref() else { return None };
        let last = items.iter().last().map(|item| item.span().end);
        return into_list(text, span.start, span.end, last, value);
    }
    // After the last of the table's own lines; its subtables have headers of their own, further down.
    let own = table.iter().filter(|(_, value)| !matches!(value.get_ref(), DeValue::Table(_)));
    let place = own.map(|(_, value)| value.span().end).max().unwrap_or(place).max(place);
    let end = text[place..].find('\n').map_or(text.len(), |at| place + at);
    Some(format!("{}\n{key} = [{value}]{}", &text[..end], &text[end..]))
}

/// Puts a value behind the last one of a list.
fn into_list(text: &str, start: usize, end: usize, last: Option<usize>, value: &str) -> Option<String> {
    let close = end.checked_sub(1)?;
    let Some(last) = last else { return Some(format!("{}{value}{}", &text[..close], &text[close..])) };
    let comma = comma_after(&text[last..close]).map(|at| last + at);
    let head = match comma {
        Some(_) => text[..last].to_owned(),
        None => format!("{},", &text[..last]),
    };
    let between = &text[last..close];
    // One value a line: the new one gets its own, before the line that ends the list.
    if let Some(newline) = between.rfind('\n').filter(|_| text[start..last].contains('\n')) {
        let line = text[..last].rfind('\n').map_or(0, |at| at + 1);
        let indent: String = text[line..].chars().take_while(|c| c.is_whitespace() && *c != '\n').collect();
        let (kept, rest) = between.split_at(newline);
        return Some(format!("{head}{kept}\n{indent}{value},{rest}{}", &text[close..]));
    }
    if between.contains('#') || between.contains('\n') {
        return None;
    }
    let tail = if comma.is_some() { format!(", {value}") } else { format!(" {value}") };
    Some(format!("{head}{tail}{}", &text[close..]))
}

/// Where a comma is, between comments and blanks.
fn comma_after(text: &str) -> Option<usize> {
    let mut comment = false;
    text.char_indices().find_map(|(at, c)| {
        comment = (comment || c == '#') && c != '\n';
        (c == ',' && !comment).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(text: &str, value: &str) -> String {
        add_to_list(text, &["grants", "disk"], "read", value).unwrap()
    }

    #[test]
    fn a_value_joins_the_list_that_is_there() {
        assert_eq!(
            add("[grants.disk]\nread = [\"/a\"] # why\n", "\"/b\""),
            "[grants.disk]\nread = [\"/a\", \"/b\"] # why\n"
        );
        assert_eq!(add("[grants.disk]\nread = [\"/a\", ]\n", "\"/b\""), "[grants.disk]\nread = [\"/a\", \"/b\"]\n");
        assert_eq!(add("[grants.disk]\nread = []\n", "\"/b\""), "[grants.disk]\nread = [\"/b\"]\n");
        let long = "[grants.disk]\nread = [\n    \"/a\", # one, two\n    \"/b\" # last ]\n    # and\n]\nwrite = []\n";
        let wanted = "[grants.disk]\nread = [\n    \"/a\", # one, two\n    \"/b\", # last ]\n    # and\n    \"/c\",\n]\nwrite = []\n";
        assert_eq!(add(long, "\"/c\""), wanted);
        assert_eq!(add("grants.disk.read = [\"/a\"]\n", "\"/b\""), "grants.disk.read = [\"/a\", \"/b\"]\n");
    }

    #[test]
    fn what_is_there_already_changes_nothing() {
        let text = "[grants.disk]\nread = [ '/a' ]\n";
        assert_eq!(add(text, "\"/a\""), text);
    }

    #[test]
    fn a_table_without_the_list_gets_it_among_its_own_lines() {
        let text = "# top\n[grants.disk] # of disk\nwrite = [\n \"/w\",\n] # w\n\n# about others\n[grants.facts]\n";
        let wanted = "# top\n[grants.disk] # of disk\nwrite = [\n \"/w\",\n] # w\nread = [\"/a\"]\n\n# about others\n[grants.facts]\n";
        assert_eq!(add(text, "\"/a\""), wanted);
        assert_eq!(add("[grants.disk] # x\n\n[log]\n", "\"/a\""), "[grants.disk] # x\nread = [\"/a\"]\n\n[log]\n");
    }

    #[test]
    fn a_missing_table_comes_at_the_end() {
        assert_eq!(add("", "\"/a\""), "\n[grants.disk]\nread = [\"/a\"]\n");
        assert_eq!(
            add("[log]\nlevel = \"info\"", "\"/a\""),
            "[log]\nlevel = \"info\"\n\n[grants.disk]\nread = [\"/a\"]\n"
        );
        let full = add_to_list("", &["grants", "acme:disk/disk"], "run", "{ program = \"df\", args = [] }").unwrap();
        assert_eq!(full, "\n[grants.\"acme:disk/disk\"]\nrun = [{ program = \"df\", args = [] }]\n");
    }

    #[test]
    fn what_cannot_be_changed_safely_is_left_alone() {
        for text in [
            "grants = { disk = { } }\n",
            "[grants]\ndisk = { write = [] }\n",
            "[grants.disk]\nread = \"/a\"\n",
            "grants = 1\n",
        ] {
            let error = add_to_list(text, &["grants", "disk"], "read", "\"/b\"").unwrap_err();
            assert!(error.to_string().contains("[grants.disk]\nread = [\"/b\"]"), "{text}: {error}");
        }
        assert!(matches!(add_to_list("[", &["a"], "b", "1"), Err(NotAmended::Invalid(_))));
        for value in ["", "a", "1\nother = 2", "\"/b\"]\nwrite = [\"/\""] {
            assert!(matches!(add_to_list("", &["a"], "b", value), Err(NotAmended::Value(_))), "{value}");
        }
    }
}
