//! Arguments as the audit log shows them.

use std::fmt::Write as _;

use crate::wire::Value;

/// Arguments for the log: JSON cut off after about 300 characters, long texts after 80, bytes as their
/// number. What an operator typed is recognised; what a program sent does not fill the disk.
pub fn summary(args: &[Value]) -> String {
    let mut out = String::new();
    list(&mut out, args);
    out
}

const ARGUMENTS: usize = 300;
const TEXT: usize = 80;

fn list(out: &mut String, items: &[Value]) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if out.len() > ARGUMENTS {
            out.push('…');
            break;
        }
        one(out, item);
    }
    out.push(']');
}

fn one(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => shown(out, text),
        Value::Bytes(bytes) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "<{} bytes>", bytes.len());
        }
        Value::Array(items) => list(out, items),
        Value::Struct(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if out.len() > ARGUMENTS {
                    out.push('…');
                    break;
                }
                shown(out, key);
                out.push(':');
                one(out, value);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_json().to_string()),
    }
}

fn shown(out: &mut String, text: &str) {
    let cut: String = text.chars().take(TEXT).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    out.push_str(&serde_json::Value::from(format!("{cut}{more}")).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_stays_short_whatever_is_sent() {
        let long = "x".repeat(100_000);
        let args = [Value::structure([("k", Value::from(long.as_str()))]), Value::Bytes(vec![0; 1 << 20]), Value::Nil];
        assert!(summary(&args).contains("<1048576 bytes>,null]"), "{}", summary(&args));
        let many = vec![Value::from(vec![long.as_str(); 10]); 10];
        assert!(summary(&many).len() < 1500, "{}", summary(&many).len());
    }
}
