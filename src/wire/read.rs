//! The grammar of XML-RPC, over the tokens of a checked document.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, alphabet, engine};
use jiff::{civil::DateTime, fmt::strtime};

use super::{
    Answer, Call, Fault, Value,
    scan::{MAX_DEPTH, MAX_VALUES, ParseError, Scanner, Token},
};

/// Base64 with or without its padding.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

/// Reads a method call.
pub fn parse_call(body: &[u8]) -> Result<Call, ParseError> {
    let mut reader = Reader::new(body)?;
    reader.open("methodCall")?;
    reader.open("methodName")?;
    let method = reader.text()?.trim().to_owned();
    let mut params = Vec::new();
    match reader.child("params or the end of the call")? {
        None => {}
        Some("params") => {
            while reader.child_named("param")? {
                params.push(reader.only_value()?);
            }
            reader.close()?;
        }
        Some(_) => return Err(reader.unexpected("params")),
    }
    reader.end()?;
    Ok(Call { method, params })
}

/// Reads a method's answer, a value or a fault.
pub fn parse_answer(body: &[u8]) -> Result<Answer, ParseError> {
    let mut reader = Reader::new(body)?;
    reader.open("methodResponse")?;
    let answer = match reader.child("params or fault")? {
        Some("params") => {
            reader.open("param")?;
            let value = reader.only_value()?;
            reader.close()?;
            Answer::Value(value)
        }
        Some("fault") => Answer::Fault(reader.fault()?),
        _ => return Err(reader.unexpected("params or fault")),
    };
    reader.close()?;
    reader.end()?;
    Ok(answer)
}

struct Reader<'a> {
    scanner: Scanner<'a>,
    depth: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn new(body: &'a [u8]) -> Result<Self, ParseError> {
        Ok(Self { scanner: Scanner::new(body)?, depth: 0, values: 0 })
    }

    fn unexpected(&self, wanted: &'static str) -> ParseError {
        ParseError::Unexpected { wanted, at: self.scanner.at() }
    }

    /// The next tag inside the open element, or `None` when the element ends. White space between
    /// tags means nothing.
    fn child(&mut self, wanted: &'static str) -> Result<Option<&'a str>, ParseError> {
        loop {
            match self.scanner.next()? {
                Token::Open(name) => return Ok(Some(name)),
                Token::Close => return Ok(None),
                Token::Text(text) if is_blank(&text) => {}
                Token::Text(_) => return Err(self.unexpected(wanted)),
                Token::End => return Err(ParseError::Malformed { at: self.scanner.at() }),
            }
        }
    }

    /// Enters the next tag, if it is there; it can only be `name`.
    fn child_named(&mut self, name: &'static str) -> Result<bool, ParseError> {
        match self.child(name)? {
            None => Ok(false),
            Some(found) if found == name => Ok(true),
            Some(_) => Err(self.unexpected(name)),
        }
    }

    fn open(&mut self, name: &'static str) -> Result<(), ParseError> {
        if self.child_named(name)? { Ok(()) } else { Err(self.unexpected(name)) }
    }

    fn close(&mut self) -> Result<(), ParseError> {
        const WANTED: &str = "the end of an element";
        if self.child(WANTED)?.is_none() { Ok(()) } else { Err(self.unexpected(WANTED)) }
    }

    /// Nothing may follow the root but white space and comments.
    fn end(&mut self) -> Result<(), ParseError> {
        loop {
            match self.scanner.next()? {
                Token::End => return Ok(()),
                Token::Text(text) if is_blank(&text) => {}
                _ => return Err(self.unexpected("the end of the document")),
            }
        }
    }

    /// The text of the open element, up to its end.
    fn text(&mut self) -> Result<Cow<'a, str>, ParseError> {
        let mut all = Cow::Borrowed("");
        loop {
            match self.scanner.next()? {
                Token::Text(piece) if all.is_empty() => all = piece,
                Token::Text(piece) => all.to_mut().push_str(&piece),
                Token::Close => return Ok(all),
                Token::Open(_) => return Err(self.unexpected("text")),
                Token::End => return Err(ParseError::Malformed { at: self.scanner.at() }),
            }
        }
    }

    /// `<value>…</value>` and then the end of the element around it.
    fn only_value(&mut self) -> Result<Value, ParseError> {
        self.open("value")?;
        let value = self.value()?;
        self.close()?;
        Ok(value)
    }

    /// The inside of a `<value>`: one typed element, or text, which is a string.
    fn value(&mut self) -> Result<Value, ParseError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(ParseError::TooMany);
        }
        let mut bare = Cow::Borrowed("");
        let kind = loop {
            match self.scanner.next()? {
                Token::Text(piece) if bare.is_empty() => bare = piece,
                Token::Text(piece) => bare.to_mut().push_str(&piece),
                Token::Close => return Ok(Value::String(bare.into_owned())),
                Token::Open(kind) if is_blank(&bare) => break kind,
                Token::Open(_) => return Err(self.unexpected("either text or one element")),
                Token::End => return Err(ParseError::Malformed { at: self.scanner.at() }),
            }
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        let value = self.typed(kind)?;
        self.depth -= 1;
        self.close()?;
        Ok(value)
    }

    fn typed(&mut self, kind: &str) -> Result<Value, ParseError> {
        match kind.strip_prefix("ex:").unwrap_or(kind) {
            "string" => Ok(Value::String(self.text()?.into_owned())),
            "int" | "i4" | "i8" | "i1" | "i2" => self.scalar("integer", |text| text.parse().ok().map(Value::Int)),
            "boolean" => self.scalar("boolean", boolean),
            "double" | "float" => self.scalar("double", |text| text.parse().ok().map(Value::Double)),
            "dateTime.iso8601" => self.scalar("date", date),
            "base64" => self.scalar("base64", base64),
            "nil" => self.scalar("nil", |text| text.is_empty().then_some(Value::Nil)),
            "array" => self.array(),
            "struct" => self.structure(),
            _ => Err(self.unexpected("a type of XML-RPC")),
        }
    }

    fn scalar(&mut self, kind: &'static str, read: fn(&str) -> Option<Value>) -> Result<Value, ParseError> {
        let text = self.text()?;
        read(text.trim_ascii()).ok_or_else(|| ParseError::Scalar { kind, at: self.scanner.at() })
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        let mut items = Vec::new();
        if self.child_named("data")? {
            while self.child_named("value")? {
                items.push(self.value()?);
            }
            self.close()?;
        }
        Ok(Value::Array(items))
    }

    fn structure(&mut self) -> Result<Value, ParseError> {
        let mut members = BTreeMap::new();
        while self.child_named("member")? {
            self.open("name")?;
            let key = self.text()?.into_owned();
            let value = self.only_value()?;
            if members.insert(key, value).is_some() {
                return Err(ParseError::DuplicateKey { at: self.scanner.at() });
            }
        }
        Ok(Value::Struct(members))
    }

    fn fault(&mut self) -> Result<Fault, ParseError> {
        const WANTED: &str = "a struct of faultCode and faultString";
        let Value::Struct(members) = self.only_value()? else { return Err(self.unexpected(WANTED)) };
        match (members.get("faultCode"), members.get("faultString")) {
            (Some(Value::Int(code)), Some(Value::String(message))) => {
                let code = i32::try_from(*code)
                    .map_err(|_| ParseError::Scalar { kind: "fault code", at: self.scanner.at() })?;
                Ok(Fault { code, message: message.clone() })
            }
            _ => Err(self.unexpected(WANTED)),
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_whitespace())
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "1" | "true" => Some(Value::Bool(true)),
        "0" | "false" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// `20260711T22:19:00`, also with dashes in the date and a `Z` at the end.
fn date(text: &str) -> Option<Value> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    // strptime takes shorter numbers too, which nobody sends and which could be read in two ways.
    let format = match text.len() {
        17 => "%Y%m%dT%H:%M:%S",
        19 => "%Y-%m-%dT%H:%M:%S",
        _ => return None,
    };
    let time: DateTime = strtime::parse(format, text).ok()?.to_datetime().ok()?;
    Some(Value::DateTime(time))
}

fn base64(text: &str) -> Option<Value> {
    let wrapped = text.bytes().any(|b| b.is_ascii_whitespace());
    let text = if wrapped { Cow::Owned(text.split_ascii_whitespace().collect()) } else { Cow::Borrowed(text) };
    BASE64.decode(text.as_bytes()).ok().map(Value::Bytes)
}
