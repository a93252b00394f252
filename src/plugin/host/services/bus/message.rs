//! Messages of D-Bus: written in little endian, read in both.
//!
//! Only what is asked of a manager of services: texts, lists of texts and truths are written; everything
//! is read. What is read comes from the bus of the machine, yet nothing in it is believed: lengths are
//! held against what there is, nesting is bounded.

use super::{reader::Reader, signature::complete, written::Written};

/// What a message may be long. The protocol has 128 MiB; no answer that is wanted here comes near this.
pub(super) const LONGEST: usize = 16 << 20;

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
        let mut reader = Reader::new(bytes, 8, bytes.first() == Some(&b'B'));
        let kind = match bytes.get(1)? {
            1 => Kind::Call,
            2 => Kind::Return,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => return None,
        };
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
        let read = |signature: &str, bytes: &[u8]| Reader::new(bytes, 0, false).value(signature.as_bytes());
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
