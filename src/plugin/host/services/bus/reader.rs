//! Values of D-Bus out of bytes of either order.

use super::{
    message::Value,
    signature::{DEEPEST, alignment, complete},
};

/// Bytes that are read from the front. Offsets count from the first, because values are aligned by them.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Begins so many bytes in; `big` if the most significant byte comes first.
    pub(super) fn new(bytes: &'a [u8], at: usize, big: bool) -> Self {
        Self { bytes, at, big, depth: 0 }
    }

    pub(super) fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.next_multiple_of(to);
        (self.at <= self.bytes.len()).then_some(())
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A number of so many bytes, without a sign.
    pub(super) fn number(&mut self, size: usize) -> Option<u64> {
        self.align(size)?;
        let big = self.big;
        let bytes = self.take(size)?;
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let text = std::str::from_utf8(self.take(length)?).ok()?.to_owned();
        (self.take(1)? == [0]).then_some(text)
    }

    fn length(&mut self) -> Option<usize> {
        self.number(4)?.try_into().ok()
    }

    pub(super) fn value(&mut self, ty: &[u8]) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEEPEST * 2 {
            return None;
        }
        let value = self.one(ty);
        self.depth -= 1;
        value
    }

    fn one(&mut self, ty: &[u8]) -> Option<Value> {
        Some(match *ty.first()? {
            b'y' => Value::Number(self.number(1)?.into()),
            b'b' => Value::Bool(self.number(4)? != 0),
            b'q' => Value::Number(self.number(2)?.into()),
            b'u' | b'h' => Value::Number(self.number(4)?.into()),
            b't' => Value::Number(self.number(8)?.into()),
            b'n' => Value::Number(i16::from_ne_bytes(u16::try_from(self.number(2)?).ok()?.to_ne_bytes()).into()),
            b'i' => Value::Number(i32::from_ne_bytes(u32::try_from(self.number(4)?).ok()?.to_ne_bytes()).into()),
            b'x' => Value::Number(i64::from_ne_bytes(self.number(8)?.to_ne_bytes()).into()),
            b'd' => Value::Real(f64::from_bits(self.number(8)?)),
            b's' | b'o' => {
                let length = self.length()?;
                Value::Text(self.text(length)?)
            }
            b'g' => {
                let length = self.number(1)?.try_into().ok()?;
                Value::Text(self.text(length)?)
            }
            b'v' => {
                let length = self.number(1)?.try_into().ok()?;
                let inner = self.text(length)?;
                if complete(inner.as_bytes(), 0)? != inner.len() {
                    return None;
                }
                self.value(inner.as_bytes())?
            }
            b'a' => {
                let (length, item) = (self.length()?, &ty[1..]);
                self.align(alignment(*item.first()?))?;
                let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
                let mut items = Vec::new();
                while self.at < end {
                    items.push(self.value(item)?);
                }
                if self.at != end {
                    return None;
                }
                Value::List(items)
            }
            b'(' | b'{' => {
                self.align(8)?;
                let (mut fields, mut rest) = (Vec::new(), ty.get(1..ty.len() - 1)?);
                while !rest.is_empty() {
                    let (one, more) = rest.split_at(complete(rest, 0)?);
                    fields.push(self.value(one)?);
                    rest = more;
                }
                Value::List(fields)
            }
            _ => return None,
        })
    }
}
