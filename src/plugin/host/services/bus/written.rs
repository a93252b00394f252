//! Values of D-Bus as bytes, in little endian.

#[cfg(test)]
use super::message::Value;
#[cfg(test)]
use super::signature::{alignment, complete};

/// Values that were written one after another, and their types.
#[derive(Debug, Default)]
pub(in crate::plugin::host::services) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) signature: String,
}

impl Written {
    pub(in crate::plugin::host::services) fn text(mut self, text: &str) -> Self {
        self.signature.push('s');
        self.plain_text(text);
        self
    }

    pub(in crate::plugin::host::services) fn texts(mut self, texts: &[&str]) -> Self {
        self.signature.push_str("as");
        let mut list = Self::default();
        for text in texts {
            list.plain_text(text);
        }
        self.number(u32::try_from(list.bytes.len()).unwrap_or(u32::MAX));
        // A list of texts begins aligned, for its length is.
        self.bytes.extend(list.bytes);
        self
    }

    pub(in crate::plugin::host::services) fn truth(mut self, truth: bool) -> Self {
        self.signature.push('b');
        self.number(u32::from(truth));
        self
    }

    /// A value of any type that the tests' systemd answers with.
    #[cfg(test)]
    pub(in crate::plugin::host::services) fn value(mut self, ty: &str, value: &Value) -> Self {
        self.signature.push_str(ty);
        self.plain_value(ty.as_bytes(), value);
        self
    }

    #[cfg(test)]
    fn plain_value(&mut self, ty: &[u8], value: &Value) {
        match (ty[0], value) {
            (b's' | b'o', Value::Text(text)) => self.plain_text(text),
            (b'u', Value::Number(number)) => self.number((*number).try_into().unwrap()),
            (b'b', Value::Bool(truth)) => self.number(u32::from(*truth)),
            (b'v', value) => {
                let ty = if matches!(value, Value::Text(_)) { "s" } else { "u" };
                self.signature_of(ty);
                self.plain_value(ty.as_bytes(), value);
            }
            (b'a', Value::List(items)) => {
                self.number(0);
                let length_at = self.bytes.len() - 4;
                self.align(alignment(ty[1]));
                let begin = self.bytes.len();
                for item in items {
                    self.plain_value(&ty[1..], item);
                }
                let length = u32::try_from(self.bytes.len() - begin).unwrap();
                self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
            }
            (b'(' | b'{', Value::List(fields)) => {
                self.align(8);
                let mut rest = &ty[1..ty.len() - 1];
                for field in fields {
                    let (one, more) = rest.split_at(complete(rest, 0).unwrap());
                    self.plain_value(one, field);
                    rest = more;
                }
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    pub(super) fn number(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend(number.to_le_bytes());
    }

    pub(super) fn plain_text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    pub(super) fn signature_of(&mut self, signature: &str) {
        self.bytes.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.bytes.extend(signature.as_bytes());
        self.bytes.push(0);
    }

    pub(super) fn field(&mut self, code: u8, ty: char) {
        self.align(8);
        self.bytes.push(code);
        self.signature_of(ty.encode_utf8(&mut [0; 4]));
    }
}
