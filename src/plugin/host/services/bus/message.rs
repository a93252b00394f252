//! Messages of D-Bus: written in little endian, read in both.
//!
//! Only what is asked of a manager of services: texts, lists of texts and truths are written; everything
//! is read. What is read comes from the bus of the machine, yet nothing in it is believed: lengths are
//! held against what there is, nesting is bounded.

/// What a message may be long. The protocol has 128 MiB; no answer that is wanted here comes near this.
pub(super) const LONGEST: usize = 16 << 20;
const DEEPEST: u32 = 16;

/// A value of any type.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plugin::host::services) enum Value {
    Bool(bool),
    /// Any whole number.
    Number(i128),
    Real(f64),
    /// A text, the path of an object or a signature.
    Text(String),
    /// A list, a structure or an entry of a dictionary. A variant is what is in it.
    List(Vec<Value>),
}

impl Value {
    pub(in crate::plugin::host::services) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(in crate::plugin::host::services) fn list(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin::host::services) enum Kind {
    Call = 1,
    Return = 2,
    Error = 3,
    Signal = 4,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plugin::host::services) struct Message {
    pub(in crate::plugin::host::services) kind: Kind,
    pub(in crate::plugin::host::services) serial: u32,
    pub(in crate::plugin::host::services) path: Option<String>,
    pub(in crate::plugin::host::services) interface: Option<String>,
    pub(in crate::plugin::host::services) member: Option<String>,
    pub(in crate::plugin::host::services) error: Option<String>,
    pub(in crate::plugin::host::services) reply_to: Option<u32>,
    pub(in crate::plugin::host::services) destination: Option<String>,
    pub(in crate::plugin::host::services) sender: Option<String>,
    pub(in crate::plugin::host::services) body: Vec<Value>,
}

impl Message {
    pub(in crate::plugin::host::services) fn new(kind: Kind) -> Self {
        Self {
            kind,
            serial: 0,
            path: None,
            interface: None,
            member: None,
            error: None,
            reply_to: None,
            destination: None,
            sender: None,
            body: Vec::new(),
        }
    }

    pub(super) fn write(&self, body: &Written) -> Vec<u8> {
        let mut out = Written::default();
        out.bytes.extend([b'l', self.kind as u8, 0, 1]);
        out.number(u32::try_from(body.bytes.len()).unwrap_or(u32::MAX));
        out.number(self.serial);
        let mut fields = Written::default();
        for (code, ty, text) in [
            (1, 'o', self.path.as_deref()),
            (2, 's', self.interface.as_deref()),
            (3, 's', self.member.as_deref()),
            (4, 's', self.error.as_deref()),
            (6, 's', self.destination.as_deref()),
        ] {
            if let Some(text) = text {
                fields.field(code, ty);
                fields.plain_text(text);
            }
        }
        if let Some(serial) = self.reply_to {
            fields.field(5, 'u');
            fields.number(serial);
        }
        if !body.signature.is_empty() {
            fields.field(8, 'g');
            fields.signature_of(&body.signature);
        }
        // The list begins at 16, so the fields are aligned as they are by themselves.
        out.number(u32::try_from(fields.bytes.len()).unwrap_or(u32::MAX));
        out.bytes.extend(fields.bytes);
        out.align(8);
        out.bytes.extend(&body.bytes);
        out.bytes
    }

    /// How long the message is that begins so; at least 16 bytes are needed. Nothing if it is none.
    pub(super) fn length(head: &[u8; 16]) -> Option<usize> {
        let big = match head[0] {
            b'l' => false,
            b'B' => true,
            _ => return None,
        };
        let number = |at: usize| {
            let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            (if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }) as usize
        };
        let (body, fields) = (number(4), number(12));
        (body <= LONGEST && fields <= LONGEST).then(|| 16 + fields.next_multiple_of(8) + body)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 0, big: bytes.first() == Some(&b'B'), depth: 0 };
        let kind = match bytes.get(1)? {
            1 => Kind::Call,
            2 => Kind::Return,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => return None,
        };
        reader.at = 8;
        let mut message = Self { serial: reader.number(4)?.try_into().ok()?, ..Self::new(kind) };
        let fields = reader.value(b"a(yv)")?;
        let mut signature = String::new();
        for field in fields.list() {
            let [Value::Number(code), value] = field.list() else { return None };
            let text = || value.text().map(str::to_owned);
            match code {
                1 => message.path = text(),
                2 => message.interface = text(),
                3 => message.member = text(),
                4 => message.error = text(),
                5 => {
                    message.reply_to = if let Value::Number(serial) = value { (*serial).try_into().ok() } else { None }
                }
                6 => message.destination = text(),
                7 => message.sender = text(),
                8 => signature = text()?,
                _ => {}
            }
        }
        reader.align(8)?;
        let mut rest = signature.as_bytes();
        while !rest.is_empty() {
            let (one, more) = rest.split_at(complete(rest, 0)?);
            message.body.push(reader.value(one)?);
            rest = more;
        }
        Some(message)
    }
}

/// Values that were written one after another, and their types.
#[derive(Debug, Default)]
pub(in crate::plugin::host::services) struct Written {
    bytes: Vec<u8>,
    signature: String,
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

    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend(number.to_le_bytes());
    }

    fn plain_text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature_of(&mut self, signature: &str) {
        self.bytes.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.bytes.extend(signature.as_bytes());
        self.bytes.push(0);
    }

    fn field(&mut self, code: u8, ty: char) {
        self.align(8);
        self.bytes.push(code);
        self.signature_of(ty.encode_utf8(&mut [0; 4]));
    }
}

/// How long the first complete type of a signature is.
fn complete(signature: &[u8], depth: u32) -> Option<usize> {
    if depth > DEEPEST {
        return None;
    }
    match *signature.first()? {
        b'a' => Some(1 + complete(&signature[1..], depth + 1)?),
        open @ (b'(' | b'{') => {
            let close = if open == b'(' { b')' } else { b'}' };
            let mut at = 1;
            while *signature.get(at)? != close {
                at += complete(&signature[at..], depth + 1)?;
            }
            Some(at + 1)
        }
        b'y' | b'b' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g' | b'v' | b'h' => Some(1),
        _ => None,
    }
}

fn alignment(ty: u8) -> usize {
    match ty {
        b'n' | b'q' => 2,
        b'b' | b'i' | b'u' | b's' | b'o' | b'a' | b'h' => 4,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 1,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
    depth: u32,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) -> Option<()> {
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
    fn number(&mut self, size: usize) -> Option<u64> {
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

    fn value(&mut self, ty: &[u8]) -> Option<Value> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> (Message, Vec<u8>) {
        let call = Message {
            serial: 7,
            path: Some("/org/a".to_owned()),
            member: Some("StartUnit".to_owned()),
            destination: Some("org.a".to_owned()),
            ..Message::new(Kind::Call)
        };
        let body = Written::default().text("sshd.service").texts(&["a", "bcd"]).truth(true);
        let bytes = call.write(&body);
        (call, bytes)
    }

    #[test]
    fn any_bytes_are_read_as_some_message_or_none() {
        let (_, bytes) = message();
        let words = ["a{sv}", "a(ss)", "()", "a()", "v", "(((((", "\u{1}g\u{0}", "/org", "l\u{2}\u{0}\u{1}", "\u{8}"];
        crate::sys::fuzz::fuzz("bus_messages", &[&bytes], &words, |bytes| {
            let length = bytes.first_chunk::<16>().map(|head| Message::length(head).is_some());
            (length, Message::read(bytes).map(|message| format!("{message:?}")))
        });
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let (call, bytes) = message();
        assert_eq!(Message::length(bytes[..16].try_into().unwrap()), Some(bytes.len()));
        let text = |text: &str| Value::Text(text.to_owned());
        let body = vec![text("sshd.service"), Value::List(vec![text("a"), text("bcd")]), Value::Bool(true)];
        assert_eq!(Message::read(&bytes), Some(Message { body, ..call }));
    }

    #[test]
    fn what_is_cut_or_changed_is_none_and_never_a_panic() {
        let (_, bytes) = message();
        for length in 0..bytes.len() {
            assert_eq!(Message::read(&bytes[..length]), None, "{length}");
        }
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut other = bytes.clone();
                other[at] ^= flip;
                let _ = (Message::read(&other), Message::length(other[..16].try_into().unwrap()));
            }
        }
    }

    #[test]
    fn every_type_is_read_and_nesting_is_bounded() {
        let read = |signature: &str, bytes: &[u8]| {
            let mut reader = Reader { bytes, at: 0, big: false, depth: 0 };
            reader.value(signature.as_bytes())
        };
        assert_eq!(read("i", &(-5_i32).to_le_bytes()), Some(Value::Number(-5)));
        assert_eq!(read("x", &(-5_i64).to_le_bytes()), Some(Value::Number(-5)));
        assert_eq!(read("t", &u64::MAX.to_le_bytes()), Some(Value::Number(u64::MAX.into())));
        assert_eq!(read("v", &[1, b'y', 0, 9]), Some(Value::Number(9)));
        assert_eq!(read("a{sv}", &[0; 8]), Some(Value::List(vec![])));
        assert_eq!(read("v", &[1, b'v', 0].repeat(40)), None);
        assert_eq!(complete("a".repeat(40).as_bytes(), 0), None);
        assert_eq!(complete(b"a(sa{sv})u", 0), Some(9));
        assert_eq!(read("as", &[255, 255, 255, 255]), None);
    }
}
