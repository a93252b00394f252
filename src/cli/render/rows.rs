//! Answers as one table: a row for each host, or for each item of its list, in the order of a field.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::field::{Field, InvalidField};
use super::{table, value};
use crate::ids::HostName;
use crate::wire::Value;

/// The column of the hosts.
const HOST: &str = "host";

/// The column of answers that have no fields.
const ANSWER: &str = "answer";

/// The field that rows are sorted by, and in which direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Order {
    field: Field,
    descending: bool,
}

impl FromStr for Order {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let (descending, field) = match text.strip_prefix('-') {
            Some(field) => (true, field),
            None => (false, text),
        };
        Ok(Self { field: field.parse()?, descending })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.field)
    }
}

struct Row<'a> {
    host: &'a HostName,
    item: &'a Value,
    key: Option<Value>,
}

/// The table of `answers`. Rows without the field come last.
pub(in crate::cli) fn rows(answers: &[(&HostName, &Value)], order: &Order) -> String {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (host, answer) in answers {
        let items = match answer {
            Value::Array(items) if !items.is_empty() && items.iter().all(|item| matches!(item, Value::Struct(_))) => {
                &items[..]
            }
            _ => std::slice::from_ref(*answer),
        };
        rows.extend(items.iter().map(|item| Row { host, item, key: key(host, item, &order.field) }));
    }
    rows.sort_by(|a, b| {
        let by_key = match (&a.key, &b.key) {
            (Some(a), Some(b)) if order.descending => compare(b, a),
            (Some(a), Some(b)) => compare(a, b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        by_key.then_with(|| a.host.cmp(b.host))
    });
    let columns = columns(&rows, order);
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let host = std::iter::once(row.host.to_string());
            host.chain(
                columns.iter().map(|column| column_of(row, column).map(|cell| cell_text(&cell)).unwrap_or_default()),
            )
            .collect()
        })
        .collect();
    let numbers: Vec<usize> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| {
            let present: Vec<Value> = rows.iter().filter_map(|row| column_of(row, column)).collect();
            let number = |value: &Value| matches!(value, Value::Int(_) | Value::Double(_));
            present.iter().any(number) && present.iter().all(|value| number(value) || *value == Value::Nil)
        })
        .map(|(index, _)| index + 1)
        .collect();
    let names: Vec<String> = columns.iter().map(|name| super::visible(name)).collect();
    let header: Vec<&str> = std::iter::once(HOST).chain(names.iter().map(String::as_str)).collect();
    table(&header, &cells, &numbers)
}

fn key(host: &HostName, item: &Value, field: &Field) -> Option<Value> {
    match field.of(item) {
        None if field.as_str() == HOST => Some(Value::from(host.as_str())),
        None if field.as_str() == ANSWER && !matches!(item, Value::Struct(_)) => Some(item.clone()),
        found => found,
    }
}

/// Fields that fit into cells; the one that was asked for is among them, wherever it lies.
fn columns(rows: &[Row<'_>], order: &Order) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !columns.iter().any(|column| column == name) {
            columns.push(name.to_owned());
        }
    };
    for row in rows {
        match row.item {
            Value::Struct(members) => {
                members
                    .iter()
                    .filter(|(_, member)| !matches!(member, Value::Struct(_) | Value::Array(_)))
                    .for_each(|(name, _)| add(name));
            }
            _ => add(ANSWER),
        }
    }
    let wanted = order.field.as_str();
    if wanted != HOST && rows.iter().any(|row| row.key.is_some()) {
        add(wanted);
    }
    columns
}

fn column_of(row: &Row<'_>, column: &str) -> Option<Value> {
    match row.item {
        Value::Struct(_) => column.parse::<Field>().ok()?.of(row.item),
        other => (column == ANSWER).then(|| other.clone()),
    }
}

fn cell_text(cell: &Value) -> String {
    match cell {
        Value::Struct(_) | Value::Array(_) => super::visible(&cell.to_json().to_string()),
        cell => value(cell, 0).replace('\n', "⏎"),
    }
}

/// Numbers by size, all else by its text; numbers come before texts.
fn compare(a: &Value, b: &Value) -> Ordering {
    #[expect(clippy::cast_precision_loss, reason = "only the order of an integer and a float is asked for")]
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        _ => None,
    };
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a_number, b_number) => {
                b_number.is_some().cmp(&a_number.is_some()).then_with(|| cell_text(a).cmp(&cell_text(b)))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_a_field_of_any_depth() {
        let machine = |cpus: i64, id: &str| {
            Value::structure([("cpus", Value::Int(cpus)), ("os", Value::structure([("id", Value::from(id))]))])
        };
        let answers: Vec<(HostName, Value)> =
            [("web1", machine(16, "debian")), ("db1", machine(4, "alpine")), ("x", Value::Nil)]
                .map(|(host, value)| (host.parse().unwrap(), value))
                .into();
        let refs: Vec<_> = answers.iter().map(|(host, value)| (host, value)).collect();
        insta::assert_snapshot!(rows(&refs, &"-cpus".parse().unwrap()), @r"
        HOST  CPUS  ANSWER
        web1    16
        db1      4
        x           nil
        ");
        insta::assert_snapshot!(rows(&refs[..2], &"os.id".parse().unwrap()), @r"
        HOST  CPUS  OS.ID
        db1      4  alpine
        web1    16  debian
        ");
    }

    #[test]
    fn each_item_of_a_list_is_a_row_of_its_own() {
        let disk = |path: &str, used: i64| Value::structure([("path", Value::from(path)), ("used", Value::Int(used))]);
        let host: HostName = "web1".parse().unwrap();
        let answer = Value::Array(vec![disk("/", 5), disk("/home", 10)]);
        insta::assert_snapshot!(rows(&[(&host, &answer)], &"-used".parse().unwrap()), @r"
        HOST  PATH   USED
        web1  /home    10
        web1  /         5
        ");
    }
}
