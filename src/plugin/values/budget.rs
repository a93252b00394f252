//! What a result may still take.
//!
//! The operator limits a result's bytes. The wire has bounds of its own, and a reader that meets
//! something beyond them refuses the whole document: an answer that was sent would be lost, and a job
//! would never be seen to end. So everything is counted here as the wire will write it, and what
//! passes can always be read at the other end.

use super::Mismatch;
use crate::wire::{self, Size};

type Result<T> = std::result::Result<T, Mismatch>;

/// How deep results may nest, counted from 0. A job's status puts one level around a result and
/// `system.multicall` two, and the innermost value counts as one.
const MAX_DEPTH: usize = wire::MAX_DEPTH - 2 - 1 - 1;
/// How many values a result may hold: a little less than a document, for the same reason.
const MAX_VALUES: usize = wire::MAX_VALUES - 64;
/// How many bytes of XML a result may be.
const MAX_XML: usize = wire::MAX_BYTES - (64 << 10);

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
        self.take(0, Size::TAGS)
    }

    /// The text of a value.
    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        self.take(text.len(), Size::of_text(text))
    }

    /// The key of a member.
    pub(super) fn key(&mut self, key: &str) -> Result<()> {
        self.take(key.len(), Size::of_text(key).saturating_add(Size::TAGS))
    }

    /// Bytes, which travel as base64.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<()> {
        self.take(count, Size::of_bytes(count))
    }

    /// A date.
    pub(super) fn date(&mut self) -> Result<()> {
        self.take(Size::DATE, Size::DATE)
    }

    /// A double, which travels in plain notation: up to some hundred digits.
    pub(super) fn number(&mut self, number: f64) -> Result<()> {
        let digits = Size::of_number(number);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Answer, Value, encode_answer, parse_answer};

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
