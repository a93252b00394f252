//! JSON (RFC 8259) that programs write, read into a tree.
//!
//! A reader of our own because it is a fraction of the size that a general one adds to each component. Of a name that
//! occurs twice in an object the first counts. Nesting is bounded, so no input overflows the stack.

use crate::{Error, Result};

/// How deep values may be nested.
const DEEPEST: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that 64 bits hold.
    Int(i64),
    /// Any other number.
    Real(f64),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order it was written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value with nothing after it. The error names the place and not the input.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.at == text.len() { Ok(value) } else { reader.wrong("something after its end") }
    }

    /// What a program wrote, which its error names.
    pub fn written(program: &str, text: &str) -> Result<Self> {
        Self::parse(text).map_err(|error| Error::failed(format!("what `{program}` wrote is {}", error.message)))
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(found, _)| found == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The member of a member, and so on.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The text of a member.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// The whole number of a member.
    pub fn int_of(&self, name: &str) -> Option<i64> {
        self.get(name)?.int()
    }

    /// Whether a member is `true`.
    pub fn is(&self, name: &str) -> bool {
        self.get(name) == Some(&Self::Bool(true))
    }

    /// The elements of a member that is an array; of anything else, none.
    pub fn list_of(&self, name: &str) -> &[Self] {
        self.get(name).map_or(&[], Self::list)
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements, if it is an array; of anything else, none.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > DEEPEST {
            return self.wrong("values nested too deep");
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut members = Vec::new();
        if self.took(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.wrong("no name where one should be");
            }
            let name = self.string()?;
            if !self.took(b':') {
                return self.wrong("no colon after a name");
            }
            members.push((name, self.value(depth + 1)?));
            if self.took(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.took(b',') {
                return self.wrong("an object that does not go on");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.took(b']') {
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            if self.took(b']') {
                return Ok(Json::Array(elements));
            }
            if !self.took(b',') {
                return self.wrong("an array that does not go on");
            }
        }
    }

    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find(['"', '\\']) else { return self.wrong("a string that does not end") };
            text.push_str(&rest[..end]);
            self.at += end + 1;
            if rest.as_bytes()[end] == b'"' {
                return Ok(text);
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char> {
        let code = self.peek();
        self.at += usize::from(code.is_some());
        Ok(match code {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = self.four_digits()?;
                let low = self.text[self.at..].starts_with("\\u") && (0xd800..0xdc00).contains(&high);
                let low = if low {
                    self.at += 2;
                    Some(self.four_digits()?)
                } else {
                    None
                };
                // Half a pair is no character.
                char::decode_utf16([Some(high), low].into_iter().flatten())
                    .next()
                    .and_then(std::result::Result::ok)
                    .unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return self.wrong("an escape that is none"),
        })
    }

    fn four_digits(&mut self) -> Result<u16> {
        let digits = self.text.get(self.at..self.at + 4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) else {
            return self.wrong("an escape that is none");
        };
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<Json> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let number = &rest[..end];
        let value = number.parse().map(Json::Int).or_else(|_| number.parse().map(Json::Real));
        let Ok(value) = value else { return self.wrong("a number that is none") };
        self.at += end;
        Ok(value)
    }

    fn literal(&mut self) -> Result<Json> {
        for (text, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
            if self.text[self.at..].starts_with(text) {
                self.at += text.len();
                return Ok(value);
            }
        }
        self.wrong("no value where one should be")
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Whether the next thing after white space is this, which then is behind us.
    fn took(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn wrong<T>(&self, what: &str) -> Result<T> {
        Err(Error::failed(format!("not JSON: {what} (at byte {})", self.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_is_read() {
        let json = Json::parse(
            r#" {"a": [1, -2.5, 1e3, true, false, null, {}], "t": "\"\\\/\n\u00e9\ud83d\ude00", "o": {"x": {"y": []}}} "#,
        )
        .unwrap();
        let list = json.list_of("a");
        assert_eq!(list[..4], [Json::Int(1), Json::Real(-2.5), Json::Real(1000.0), Json::Bool(true)]);
        assert_eq!(list[4..], [Json::Bool(false), Json::Null, Json::Object(Vec::new())]);
        assert_eq!(json.text_of("t"), Some("\"\\/\né😀"));
        assert_eq!(json.at(&["o", "x", "y"]), Some(&Json::Array(Vec::new())));
        assert!(json.at(&["o", "z"]).is_none() && json.list_of("t").is_empty() && json.int_of("t").is_none());
        assert_eq!(Json::parse("18446744073709551615").unwrap(), Json::Real(18_446_744_073_709_552_000.0));
        assert_eq!(Json::parse(r#""\ud800x""#).unwrap(), Json::Text("\u{fffd}x".to_owned()));
    }

    #[test]
    fn what_is_no_json_is_refused_and_not_repeated() {
        let mut inputs: Vec<String> = [
            "",
            " ",
            "{",
            "[1",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12",
            "1 2",
            "-",
            "nul",
            "[1}",
            "\"\\u00é0\"",
            "\"\\ud800\\u1\"",
        ]
        .map(str::to_owned)
        .to_vec();
        inputs.push("[".repeat(100_000));
        for text in inputs {
            let error = Json::parse(&text).unwrap_err();
            assert!(error.message.starts_with("not JSON: ") && error.message.len() < 100, "{}", error.message);
        }
    }
}
