//! What is different about a value, field by field, when most hosts have another.

use std::collections::BTreeMap;

use similar::TextDiff;

use super::{clip, value, visible};
use crate::wire::Value;

/// More lines than this are no easier to read than the value itself.
const MOST: usize = 12;

/// Members that name the items of a list, so that the items of two lists can be told apart.
const NAMES: [&str; 4] = ["name", "path", "id", "device"];

/// How `value` differs from what is usual, a line for each field: `size: 4096, others 8192`. Nothing if that is not
/// shorter than the value.
pub(in crate::cli) fn differences(usual: &Value, value: &Value) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    walk("", usual, value, &mut lines)?;
    let whole = super::value(value, 0).lines().count();
    (!lines.is_empty() && lines.len() <= MOST && lines.len() < whole.max(2)).then_some(lines)
}

/// `None` where the two have nothing in common.
fn walk(path: &str, usual: &Value, value: &Value, lines: &mut Vec<String>) -> Option<()> {
    if usual == value {
        return Some(());
    }
    match (usual, value) {
        (Value::Struct(usual), Value::Struct(value)) => members(path, &refer(usual), &refer(value), lines),
        (Value::Array(usual), Value::Array(value)) => items(path, usual, value, lines),
        (Value::String(usual), Value::String(value)) if usual.contains('\n') || value.contains('\n') => {
            text(path, usual, value, lines);
            Some(())
        }
        _ if path.is_empty() => None,
        _ => {
            lines.push(format!("{}: {}, others {}", visible(path), short(value), short(usual)));
            Some(())
        }
    }
}

fn refer(members: &BTreeMap<String, Value>) -> BTreeMap<&str, &Value> {
    members.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

fn members(
    path: &str,
    usual: &BTreeMap<&str, &Value>,
    value: &BTreeMap<&str, &Value>,
    lines: &mut Vec<String>,
) -> Option<()> {
    let mut names: Vec<&str> = usual.keys().chain(value.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let inside = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match (usual.get(name), value.get(name)) {
            (Some(usual), Some(value)) => walk(&inside, usual, value, lines)?,
            (None, Some(value)) => lines.push(format!("{}: {}, others have none", visible(&inside), short(value))),
            (Some(usual), None) => lines.push(format!("{}: none, others {}", visible(&inside), short(usual))),
            (None, None) => {}
        }
    }
    Some(())
}

fn items(path: &str, usual: &[Value], value: &[Value], lines: &mut Vec<String>) -> Option<()> {
    let name = NAMES.iter().find_map(|name| Some((named(name, usual)?, named(name, value)?)));
    if let Some((usual, value)) = name {
        return members(path, &usual, &value, lines);
    }
    let at = if path.is_empty() { String::new() } else { format!("{}: ", visible(path)) };
    let before = lines.len();
    let only = |these: &[Value], others: &[Value]| {
        let only: Vec<String> = these.iter().filter(|item| !others.contains(item)).map(short).collect();
        only.join(", ")
    };
    let (more, fewer) = (only(value, usual), only(usual, value));
    if !more.is_empty() {
        lines.push(format!("{at}also {more}"));
    }
    if !fewer.is_empty() {
        lines.push(format!("{at}not {fewer}"));
    }
    if lines.len() == before {
        lines.push(format!("{at}in another order, or not as often"));
    }
    Some(())
}

/// Items by a member that all of them have, each another.
fn named<'a>(name: &str, items: &'a [Value]) -> Option<BTreeMap<&'a str, &'a Value>> {
    let named: Option<BTreeMap<&str, &Value>> = items
        .iter()
        .map(|item| match item {
            Value::Struct(members) => members.get(name).and_then(Value::as_str).map(|name| (name, item)),
            _ => None,
        })
        .collect();
    named.filter(|named| named.len() == items.len())
}

fn text(path: &str, usual: &str, value: &str, lines: &mut Vec<String>) {
    if !path.is_empty() {
        lines.push(format!("{}:", visible(path)));
    }
    let diff = TextDiff::from_lines(usual, value);
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            similar::ChangeTag::Equal => continue,
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
        };
        lines.push(format!("{sign}{}", visible(change.value().trim_end_matches('\n'))));
    }
}

fn short(of: &Value) -> String {
    match of {
        Value::Struct(_) | Value::Array(_) => clip(&visible(&of.to_json().to_string())),
        of => clip(&value(of, 0).replace('\n', "⏎")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &serde_json::Value) -> Value {
        Value::from_json(json)
    }

    #[test]
    fn a_minority_is_told_by_the_fields_that_differ() {
        let usual = of(
            &serde_json::json!({ "size": 8192, "os": { "id": "debian", "version": "12" }, "tags": ["a", "b"], "same": [{ "a": 1 }, { "b": 2 }] }),
        );
        let other = of(
            &serde_json::json!({ "size": 4096, "os": { "id": "debian" }, "tags": ["a", "c"], "x": 1, "same": [{ "a": 1 }, { "b": 2 }] }),
        );
        assert_eq!(
            differences(&usual, &other).unwrap(),
            [
                "os.version: none, others 12",
                "size: 4096, others 8192",
                "tags: also c",
                "tags: not b",
                "x: 1, others have none"
            ]
        );
    }

    #[test]
    fn items_with_names_are_compared_by_them() {
        let disk = |path: &str, used| serde_json::json!({ "path": path, "used": used, "kind": "ext4" });
        let usual = of(&serde_json::json!([disk("/", 1), disk("/home", 2)]));
        let other = of(&serde_json::json!([disk("/home", 3), disk("/", 1)]));
        assert_eq!(differences(&usual, &other).unwrap(), ["/home.used: 3, others 2"]);
    }

    #[test]
    fn texts_are_compared_by_lines_and_drive_no_terminal() {
        let usual = of(&serde_json::json!("one\ntwo\nthree\nfour\n"));
        let other = of(&serde_json::json!("one\n\u{1b}[2J\nthree\nfour\n"));
        assert_eq!(differences(&usual, &other).unwrap(), ["-two", "+\\u{1b}[2J"]);
    }

    #[test]
    fn what_has_nothing_in_common_is_shown_whole() {
        assert_eq!(differences(&of(&serde_json::json!(1)), &of(&serde_json::json!(2))), None);
        let one = of(&serde_json::json!({ "a": 1 }));
        assert_eq!(differences(&one, &of(&serde_json::json!([1]))), None);
        let many = |value: i64| Value::structure((0..40).map(|n| (format!("k{n}"), Value::Int(value))));
        assert_eq!(differences(&many(1), &many(2)), None);
    }
}
