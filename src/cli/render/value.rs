//! A value as indented text; a list of like structs as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::table::table;
use crate::wire::Value;

/// Renders `value`, each line indented by `indent` blanks, without a final line end.
pub(in crate::cli) fn value(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    block(value, indent, &mut text);
    text.truncate(text.trim_end_matches('\n').len());
    text
}

/// The text of a value that fits on one line.
fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Nil => "nil".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) if !text.trim_end_matches('\n').contains('\n') => visible(text.trim_end_matches('\n')),
        Value::Secret(secret) => secret.to_string(),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::DateTime(time) => time.to_string(),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Struct(members) if members.is_empty() => "{}".to_owned(),
        Value::Array(items) if items.len() <= 8 && items.iter().all(is_short) => {
            let parts: Vec<String> = items.iter().filter_map(inline).collect();
            format!("[{}]", parts.join(", "))
        }
        Value::String(_) | Value::Array(_) | Value::Struct(_) => return None,
    })
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= 24 && !text.contains(['\n', ',']),
        Value::Array(_) | Value::Struct(_) | Value::Bytes(_) => false,
        _ => true,
    }
}

/// Control characters, and those that nobody sees or that turn the text around, written out: a remote machine neither drives
/// the operator's terminal nor deceives the operator.
pub(in crate::cli) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(c),
            c if c.is_control() || is_unseen(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// At most 80 characters of what somebody wrote, for an error that names it.
pub(in crate::cli) fn clip(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Of no width, or a mark of direction.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    if let Some(line) = inline(value) {
        let _ = writeln!(out, "{pad}{line}");
        return;
    }
    if let Some(table) = as_table(value) {
        for line in table.lines() {
            let _ = writeln!(out, "{pad}{line}");
        }
        return;
    }
    match value {
        Value::String(text) => {
            for line in text.lines() {
                let _ = writeln!(out, "{pad}{}", visible(line));
            }
        }
        Value::Array(items) => {
            for item in items {
                labelled("-", item, indent, out);
            }
        }
        Value::Struct(members) => {
            for (key, member) in members {
                labelled(&format!("{}:", visible(key)), member, indent, out);
            }
        }
        _ => {}
    }
}

/// `label value` on one line, or the value as a block below its label.
fn labelled(label: &str, value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    if let Some(line) = inline(value) {
        let _ = writeln!(out, "{pad}{label} {line}");
    } else {
        let _ = writeln!(out, "{pad}{label}");
        block(value, indent + 2, out);
    }
}

/// A table, if there are at least two structs with the same keys whose members fit in cells: in a list,
/// or in a struct whose keys then make the first column.
fn as_table(value: &Value) -> Option<String> {
    let items: Vec<(Option<&str>, &Value)> = match value {
        Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
        Value::Struct(members) => members.iter().map(|(key, member)| (Some(key.as_str()), member)).collect(),
        _ => return None,
    };
    let rows: Vec<(Option<&str>, &BTreeMap<String, Value>)> = items
        .into_iter()
        .map(|(key, item)| match item {
            Value::Struct(members) => Some((key, members)),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let (first_key, first) = rows.first()?;
    let same_keys = rows.iter().all(|(_, row)| row.keys().eq(first.keys()));
    if rows.len() < 2 || first.is_empty() || !same_keys {
        return None;
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(key, row)| key.map(|key| Some(visible(key))).into_iter().chain(row.values().map(inline)).collect())
        .collect::<Option<_>>()?;
    let keyed = usize::from(first_key.is_some());
    let names: Vec<String> = first.keys().map(|name| visible(name)).collect();
    let header: Vec<&str> = std::iter::repeat_n("", keyed).chain(names.iter().map(String::as_str)).collect();
    let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Double(_) | Value::Nil);
    let numbers: Vec<usize> = first
        .keys()
        .enumerate()
        .filter(|(_, name)| rows.iter().all(|(_, row)| row.get(*name).is_some_and(is_number)))
        .map(|(column, _)| column + keyed)
        .collect();
    Some(table(&header, &cells, &numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_indented_and_short_lists_stay_on_a_line() {
        let nested = Value::structure([
            ("name", Value::from("web1")),
            ("tags", Value::from(vec!["a", "b"])),
            ("load", Value::structure([("one", Value::from(0.5))])),
            ("text", Value::from("two\nlines\n")),
        ]);
        assert_eq!(value(&nested, 0), "load:\n  one: 0.5\nname: web1\ntags: [a, b]\ntext:\n  two\n  lines");
    }

    #[test]
    fn like_structs_become_a_table() {
        let row = |path: &str, used: i64| Value::structure([("path", Value::from(path)), ("used", Value::from(used))]);
        let text = value(&Value::Array(vec![row("/", 5), row("/home", 1000)]), 2);
        assert_eq!(text, "  PATH   USED\n  /         5\n  /home  1000");
    }

    #[test]
    fn a_struct_of_like_structs_becomes_a_table_of_its_keys() {
        let disk = |used: i64| Value::structure([("used", Value::from(used)), ("kind", Value::from("ext4"))]);
        let text = value(&Value::structure([("/", disk(5)), ("/home", disk(10))]), 0);
        assert_eq!(text, "       KIND  USED\n/      ext4     5\n/home  ext4    10");
    }

    #[test]
    fn what_nobody_sees_is_written_out() {
        for c in ['\u{200b}', '\u{200f}', '\u{202e}', '\u{2064}', '\u{2066}', '\u{feff}'] {
            assert_eq!(visible(&format!("a{c}b")), format!("a\\u{{{:x}}}b", u32::from(c)));
        }
        assert_eq!(visible("\u{200a}\u{2010}é"), "\u{200a}\u{2010}é");
    }

    #[test]
    fn a_remote_machine_does_not_drive_the_terminal() {
        assert_eq!(value(&Value::from("\u{1b}[2Jgone\r"), 0), "\\u{1b}[2Jgone\\r");
    }
}
