//! What a result may still take.
//!
//! The operator limits a result's bytes. The wire has bounds of its own, and a reader that meets
//! something beyond them refuses the whole document: an answer that was sent would be lost, and a job
//! would never be seen to end. So everything is counted here as the wire will write it, and what
//! passes can always be read at the other end.

use super::Mismatch;
use crate::wire;

type Result<T> = std::result::Result<T, Mismatch>;

/// How deep results may nest, counted from 0. A job's status puts one level around a result and
/// `system.multicall` two, and the innermost value counts as one.
const MAX_DEPTH: usize = wire::MAX_DEPTH - 2 - 1 - 1;
/// How many values a result may hold: a little less than a document, for the same reason.
const MAX_VALUES: usize = wire::MAX_VALUES - 64;
/// How many bytes of XML a result may be.
const MAX_XML: usize = wire::MAX_BYTES - (64 << 10);
/// The tags around a value and the digits of an integer, or the tags of a member: no more than this.
const TAGS: usize = 48;
/// The digits of a date, and by how much its tags are longer than others.
const DATE: usize = 32;

/// The level below `depth`, if there may be one.
pub(super) fn deeper(depth: usize) -> Result<usize> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(Mismatch::over_limit(format!("nested deeper than {MAX_DEPTH} levels")))
    }
}

/// What a result may still take.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    values: usize,
    xml: usize,
}

impl Budget {
    /// The budget of a result of at most so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes, values: MAX_VALUES, xml: MAX_XML }
    }

    /// Whether this mismatch says that the result was larger than the operator's limit.
    pub(crate) fn spent(mismatch: &Mismatch) -> bool {
        mismatch.what() == Self::SPENT
    }

    /// One more value, of any kind.
    pub(crate) fn value(&mut self) -> Result<()> {
        let too_many = || Mismatch::over_limit(format!("more than {MAX_VALUES} values"));
        self.values = self.values.checked_sub(1).ok_or_else(too_many)?;
        self.take(0, TAGS)
    }

    /// The text of a value.
    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        self.take(text.len(), text.chars().map(written).sum())
    }

    /// The key of a member.
    pub(super) fn key(&mut self, key: &str) -> Result<()> {
        self.take(key.len(), key.chars().map(written).sum::<usize>().saturating_add(TAGS))
    }

    /// Bytes, which travel as base64.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<()> {
        self.take(count, count.div_ceil(3).saturating_mul(4))
    }

    /// A date.
    pub(super) fn date(&mut self) -> Result<()> {
        self.take(DATE, DATE)
    }

    /// A double, which travels in plain notation: up to some hundred digits.
    pub(super) fn number(&mut self, number: f64) -> Result<()> {
        let digits = number.to_string().len();
        self.take(digits, digits)
    }

    /// Takes `bytes`, and a little for the value around them.
    fn take(&mut self, bytes: usize, xml: usize) -> Result<()> {
        let spent = || Mismatch::over_limit(Self::SPENT);
        self.bytes = self.bytes.checked_sub(bytes.saturating_add(8)).ok_or_else(spent)?;
        let too_large = || Mismatch::over_limit(format!("more than {} MiB of XML", wire::MAX_BYTES >> 20));
        self.xml = self.xml.checked_sub(xml).ok_or_else(too_large)?;
        Ok(())
    }

    const SPENT: &str = "the result is larger than the limit";
}

/// How many bytes a character takes at most: some are written as a reference, those that XML lacks
/// as an escape.
fn written(c: char) -> usize {
    match c {
        '<' | '>' | '&' | '\'' | '"' | '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Answer, Value, encode_answer, parse_answer};

    /// The budget that a value takes, as `lift` counts it.
    fn charge(value: &Value, budget: &mut Budget) -> Result<()> {
        budget.value()?;
        match value {
            Value::Double(number) => budget.number(*number),
            Value::DateTime(_) => budget.date(),
            Value::String(text) => budget.text(text),
            Value::Bytes(bytes) => budget.bytes(bytes.len()),
            Value::Array(items) => items.iter().try_for_each(|item| charge(item, budget)),
            Value::Struct(members) => members.iter().try_for_each(|(key, member)| {
                budget.key(key)?;
                charge(member, budget)
            }),
            _ => Ok(()),
        }
    }

    #[test]
    fn what_is_counted_is_never_less_than_what_is_written() {
        let awkward: String = (0..0x80).map(char::from).chain("\u{e9}\u{fffe}\u{ffff}\u{1f600}".chars()).collect();
        let values = [
            Value::Nil,
            Value::Int(i64::MIN),
            Value::Double(5e-324),
            Value::Double(-1.797e308),
            Value::Bytes(vec![0; 1000]),
            Value::DateTime(jiff::civil::datetime(2026, 1, 2, 3, 4, 5, 0)),
            awkward.as_str().into(),
            Value::structure([(awkward.as_str(), Value::from("x")), ("", Value::Array(vec![]))]),
        ];
        let around = encode_answer(&Answer::Value("".into())).len() - "<value><string></string></value>".len();
        for value in values {
            let mut budget = Budget::new(1 << 20);
            charge(&value, &mut budget).unwrap();
            let xml = encode_answer(&Answer::Value(value.clone())).len();
            assert!(MAX_XML - budget.xml + around >= xml, "{value:?}: {} for {xml}", MAX_XML - budget.xml);
        }
    }

    #[test]
    fn the_deepest_result_can_be_read_inside_of_a_job_s_status_inside_of_a_multicall() {
        let mut depth = 0;
        let mut value = Value::Nil;
        while let Ok(below) = deeper(depth) {
            depth = below;
            value = Value::Array(vec![value]);
        }
        let status = Value::Array(vec![1.into(), value]);
        let answer = Answer::Value(Value::Array(vec![Value::Array(vec![status])]));
        assert_eq!(parse_answer(encode_answer(&answer).as_bytes()).unwrap(), answer);
    }

    #[test]
    fn values_are_counted() {
        let mut budget = Budget::new(usize::MAX);
        let refused = (0..wire::MAX_VALUES).find_map(|_| budget.value().err()).unwrap();
        assert!(refused.is_over_limit() && refused.what().contains("values"), "{refused:?}");
    }
}
