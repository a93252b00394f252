//! How much of a document a value takes, and what no reader takes any more.
//!
//! A reader that meets something beyond its bounds refuses the whole document, so an answer that does
//! not fit would be lost together with everything that travels beside it. What is written is counted
//! here, by one measure for all, before it is sent.

use super::{
    RemoteError, Value,
    scan::{MAX_BYTES, MAX_DEPTH, MAX_VALUES},
};

/// What a value takes: never less than what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    depth: usize,
    values: usize,
    bytes: usize,
}

impl Size {
    /// The tags around a value and the digits of an integer, or the tags of a member: no more bytes than
    /// this.
    pub const TAGS: usize = 48;
    /// The digits of a date, and by how much its tags are longer than others.
    pub const DATE: usize = 32;

    /// The bytes of a text: some characters are written as a reference, those that XML lacks as an escape.
    pub fn of_text(text: &str) -> usize {
        let written = |c| match c {
            '<' | '>' | '&' | '\'' | '"' | '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => 6,
            c => c.len_utf8(),
        };
        text.chars().map(written).sum()
    }

    /// The bytes of so many bytes, which travel as base64.
    pub fn of_bytes(count: usize) -> usize {
        count.div_ceil(3).saturating_mul(4)
    }

    /// The bytes of a double, which travels in plain notation: up to some hundred digits.
    pub fn of_number(number: f64) -> usize {
        number.to_string().len()
    }

    /// Of a value with everything in it.
    pub fn of(value: &Value) -> Self {
        let mut size = Self { depth: 1, values: 1, bytes: Self::TAGS };
        match value {
            Value::Nil | Value::Bool(_) | Value::Int(_) => {}
            Value::Double(number) => size.bytes += Self::of_number(*number),
            Value::DateTime(_) => size.bytes += Self::DATE,
            Value::String(text) => size.bytes += Self::of_text(text),
            Value::Secret(secret) => size.bytes += Self::of_text(secret.text().unwrap_or_default()),
            Value::Bytes(bytes) => size.bytes += Self::of_bytes(bytes.len()),
            Value::Array(items) => {
                for item in items {
                    size.put(0, item);
                }
            }
            Value::Struct(members) => {
                for (key, member) in members {
                    size.put(Self::of_text(key) + Self::TAGS, member);
                }
            }
        }
        size
    }

    /// Puts a value in, with so many bytes around it.
    fn put(&mut self, around: usize, value: &Value) {
        let inner = Self::of(value);
        self.depth = self.depth.max(inner.depth + 1);
        self.values += inner.values;
        self.bytes += around + inner.bytes;
    }
}

/// What is left of an answer.
#[derive(Debug)]
pub struct Room {
    values: usize,
    bytes: usize,
}

impl Room {
    /// An answer with nothing in it yet but its own tags and a number.
    pub fn answer() -> Self {
        Self { values: MAX_VALUES - 1, bytes: MAX_BYTES - 1024 }
    }

    /// Keeps room for so many small errors: whoever puts in several values can always say of each why it
    /// is missing.
    pub fn keep_for_errors(&mut self, count: usize) {
        self.values = self.values.saturating_sub(count.saturating_mul(8));
        self.bytes = self.bytes.saturating_sub(count.saturating_mul(1024));
    }

    /// Puts a value in, inside of so many arrays of its own. What does not fit takes nothing.
    pub fn take(&mut self, levels: usize, value: &Value) -> Result<(), TooLarge> {
        let size = Size::of(value);
        if size.depth + levels > MAX_DEPTH {
            return Err(TooLarge::Depth);
        }
        let values = self.values.checked_sub(size.values + levels).ok_or(TooLarge::Values)?;
        let bytes = self.bytes.checked_sub(size.bytes + levels * Size::TAGS).ok_or(TooLarge::Bytes)?;
        *self = Self { values, bytes };
        Ok(())
    }
}

/// Why a result cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// The result, or what it is wrapped in, is too deep.
    #[error("the result is too large to be sent: the answer would be nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// It has too many values, together with what is in the answer already.
    #[error("the result is too large to be sent: the answer would hold more than {MAX_VALUES} values")]
    Values,
    /// It is too long, together with what is in the answer already.
    #[error("the result is too large to be sent: the answer would be more than {} MiB of XML", MAX_BYTES >> 20)]
    Bytes,
}

impl From<TooLarge> for RemoteError {
    fn from(error: TooLarge) -> Self {
        Self::new("ResultTooLarge", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Answer, encode_answer, parse_answer},
        *,
    };

    fn nest(levels: usize) -> Value {
        (1..levels).fold(Value::Nil, |inner, _| Value::Array(vec![inner]))
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
            let xml = encode_answer(&Answer::Value(value.clone())).len();
            assert!(Size::of(&value).bytes + around >= xml, "{value:?}: {:?} for {xml}", Size::of(&value));
        }
    }

    #[test]
    fn what_fits_can_be_read() {
        for levels in 0..3 {
            let mut fits = nest(MAX_DEPTH - levels);
            assert_eq!(Room::answer().take(levels, &fits), Ok(()));
            assert_eq!(Room::answer().take(levels + 1, &fits), Err(TooLarge::Depth));
            for _ in 0..levels {
                fits = Value::Array(vec![fits]);
            }
            assert_eq!(
                parse_answer(encode_answer(&Answer::Value(fits.clone())).as_bytes()).unwrap(),
                Answer::Value(fits)
            );
        }
    }

    #[test]
    fn room_is_used_up_by_what_fits_and_by_nothing_else() {
        let mut room = Room::answer();
        let half = Value::Bytes(vec![0; MAX_BYTES / 8 * 3]);
        let many = Value::Array(vec![Value::Nil; MAX_VALUES]);
        assert_eq!(room.take(1, &half), Ok(()));
        assert_eq!(room.take(1, &half), Err(TooLarge::Bytes));
        assert_eq!(room.take(1, &many), Err(TooLarge::Values));
        assert_eq!(room.take(1, &Value::from("small")), Ok(()));
    }
}
