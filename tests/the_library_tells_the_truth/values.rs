//! Values of types that are written as WIT, made of one text and one number.

use func::wire::Value;

/// What a value is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stuff<'a> {
    pub text: &'a str,
    pub number: Number,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    One,
    Least,
    Most,
}

/// A value of a type.
struct Maker<'a> {
    rest: &'a str,
    stuff: Stuff<'a>,
}

/// A value of this type.
pub(super) fn value(type_name: &str, stuff: Stuff<'_>) -> Value {
    Maker::of(type_name, stuff)
}

/// What nobody minds in a parameter of this name.
pub(super) fn harmless(name: &str) -> Stuff<'static> {
    let text = match name {
        "path" | "paths" | "file" | "folder" | "point" => "/etc/hostname",
        "device" => "/dev/sda",
        "rule" => "10.0.0.0/8",
        "host" => "127.0.0.1",
        "parameter" => "vm.swappiness",
        "key" => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
        "signal" => "TERM",
        "shell" => "/bin/sh",
        "home" => "/home/web",
        "date" => "2030-01-31",
        _ => "web",
    };
    Stuff { text, number: Number::One }
}

impl Maker<'_> {
    fn of(type_name: &str, stuff: Stuff<'_>) -> Value {
        let mut maker = Maker { rest: type_name, stuff };
        let value = maker.value();
        assert_eq!(maker.rest, "", "{type_name}");
        value
    }

    fn value(&mut self) -> Value {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        self.rest = &self.rest[end..];
        match word {
            "string" | "secret" => Value::String(self.stuff.text.to_owned()),
            "char" => Value::String("\u{1b}".to_owned()),
            "bool" => Value::Bool(true),
            "f32" | "f64" => Value::Double(match self.stuff.number {
                Number::One => 1.0,
                Number::Least => -1e30,
                Number::Most => 1e30,
            }),
            "value" => Value::Nil,
            "u8" | "u16" | "u32" | "u64" | "s8" | "s16" | "s32" | "s64" => Value::Int(self.stuff.number.of(word)),
            "option" => self.inside('<', '>').remove(0),
            "list" if self.rest.starts_with("<u8>") => {
                self.rest = &self.rest[4..];
                Value::Bytes(self.stuff.text.as_bytes().to_vec())
            }
            "list" if self.rest.starts_with("<tuple<string, ") => {
                let Value::Array(pair) = self.inside('<', '>').remove(0) else { panic!("{}", self.rest) };
                Value::Struct([(self.stuff.text.to_owned(), pair[1].clone())].into())
            }
            "list" | "tuple" => Value::Array(self.inside('<', '>')),
            "record" => self.fields(),
            "enum" => Value::String(self.first_name()),
            "flags" => Value::Array(vec![Value::String(self.first_name())]),
            "variant" => self.first_case(),
            other => panic!("no value of the type `{other}`"),
        }
    }

    fn inside(&mut self, open: char, close: char) -> Vec<Value> {
        self.took(open);
        let mut values = vec![self.value()];
        while self.rest.starts_with(", ") {
            self.rest = &self.rest[2..];
            values.push(self.value());
        }
        self.took(close);
        values
    }

    fn fields(&mut self) -> Value {
        self.rest = self.rest.strip_prefix(" { ").unwrap();
        let mut fields = std::collections::BTreeMap::new();
        loop {
            let (name, rest) = self.rest.split_once(": ").unwrap();
            self.rest = rest;
            fields.insert(name.replace('-', "_"), self.value());
            if let Some(rest) = self.rest.strip_prefix(" }") {
                self.rest = rest;
                return Value::Struct(fields);
            }
            self.rest = self.rest.strip_prefix(", ").unwrap();
        }
    }

    fn first_name(&mut self) -> String {
        let (names, rest) = self.rest.strip_prefix(" { ").unwrap().split_once(" }").unwrap();
        self.rest = rest;
        names.split(", ").next().unwrap().to_owned()
    }

    fn first_case(&mut self) -> Value {
        self.rest = self.rest.strip_prefix(" { ").unwrap();
        let end = self.rest.find(['(', ',', ' ']).unwrap();
        let name = self.rest[..end].to_owned();
        self.rest = &self.rest[end..];
        let case = if self.rest.starts_with('(') {
            Value::Struct([(name, self.inside('(', ')').remove(0))].into())
        } else {
            Value::String(name)
        };
        let mut depth = 1;
        let end = self.rest.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        self.rest = &self.rest[end.unwrap() + 1..];
        case
    }

    fn took(&mut self, expected: char) {
        self.rest = self.rest.strip_prefix(expected).unwrap_or_else(|| panic!("no `{expected}` in {}", self.rest));
    }
}

impl Number {
    fn of(self, word: &str) -> i64 {
        let signed = word.starts_with('s');
        let bits: u32 = word[1..].parse().unwrap();
        // The wire carries no more than an `s64`.
        let most = i64::MAX >> (63 - bits.min(63) + u32::from(signed && bits < 64));
        match self {
            Self::One => 1,
            Self::Least if signed => -most - 1,
            Self::Least => 0,
            Self::Most => most,
        }
    }
}
