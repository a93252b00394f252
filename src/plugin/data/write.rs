//! From a value to its data.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer, ser};
use toml::{Table, Value};

use super::{BASE64, DataError, wit_name};

/// The data of a value; nothing for nil and unit.
pub(in crate::plugin) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Option<Value>, DataError> {
    Ok(match value.serialize(Writer)? {
        Written::Nothing => None,
        Written::Byte(byte) => Some(Value::Integer(byte.into())),
        Written::Value(value) => Some(value),
    })
}

/// Bytes are told from other numbers by how their elements are written.
enum Written {
    Nothing,
    Byte(u8),
    Value(Value),
}

impl Written {
    /// As an element of a list, which cannot be left out.
    fn element(self) -> Value {
        match self {
            Self::Nothing => Value::Table(Table::new()),
            Self::Byte(byte) => Value::Integer(byte.into()),
            Self::Value(value) => value,
        }
    }
}

fn bytes(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::String(text),
        Err(error) => {
            Value::Table(Table::from_iter([(BASE64.to_owned(), Value::String(STANDARD.encode(error.as_bytes())))]))
        }
    }
}

fn case(name: &str, value: Written) -> Written {
    Written::Value(Value::Table(Table::from_iter([(wit_name(name), value.element())])))
}

struct Writer;

/// The methods of a serializer that only wrap a number.
macro_rules! numbers {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, number: $type) -> Result<Written, DataError> {
            Ok(Written::Value(Value::Integer(number.into())))
        }
    )*};
}

impl Serializer for Writer {
    type Ok = Written;
    type Error = DataError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    numbers! { serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_u16(u16) serialize_u32(u32) }

    fn serialize_u8(self, byte: u8) -> Result<Written, DataError> {
        Ok(Written::Byte(byte))
    }

    fn serialize_u64(self, number: u64) -> Result<Written, DataError> {
        let small = i64::try_from(number).map(Value::Integer);
        Ok(Written::Value(small.unwrap_or_else(|_| Value::String(number.to_string()))))
    }

    fn serialize_bool(self, truth: bool) -> Result<Written, DataError> {
        Ok(Written::Value(Value::Boolean(truth)))
    }

    fn serialize_f32(self, number: f32) -> Result<Written, DataError> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<Written, DataError> {
        Ok(Written::Value(Value::Float(number)))
    }

    fn serialize_char(self, letter: char) -> Result<Written, DataError> {
        self.serialize_str(letter.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<Written, DataError> {
        Ok(Written::Value(Value::String(text.to_owned())))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Written, DataError> {
        Ok(Written::Value(bytes(value.to_vec())))
    }

    fn serialize_none(self) -> Result<Written, DataError> {
        Ok(Written::Nothing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Written, DataError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Written, DataError> {
        Ok(Written::Nothing)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Written, DataError> {
        Ok(Written::Nothing)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<Written, DataError> {
        Ok(Written::Value(Value::String(wit_name(name))))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Written, DataError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Written, DataError> {
        Ok(case(name, value.serialize(Self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, DataError> {
        Ok(List::new(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<List, DataError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List, DataError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, name: &'static str, _: usize) -> Result<List, DataError> {
        Ok(List::new(Some(name)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members, DataError> {
        Ok(Members { name: None, key: None, table: Table::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members, DataError> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Members, DataError> {
        Ok(Members { name: Some(name), key: None, table: Table::new() })
    }
}

struct List {
    name: Option<&'static str>,
    /// As long as every item is a byte.
    bytes: Vec<u8>,
    items: Vec<Value>,
}

impl List {
    fn new(name: Option<&'static str>) -> Self {
        Self { name, bytes: Vec::new(), items: Vec::new() }
    }

    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
        match value.serialize(Writer)? {
            Written::Byte(byte) if self.items.is_empty() => self.bytes.push(byte),
            other => {
                self.items.extend(self.bytes.drain(..).map(|byte| Value::Integer(byte.into())));
                self.items.push(other.element());
            }
        }
        Ok(())
    }

    fn finish(self) -> Written {
        let value = if self.bytes.is_empty() { Value::Array(self.items) } else { bytes(self.bytes) };
        match self.name {
            Some(name) => case(name, Written::Value(value)),
            None => Written::Value(value),
        }
    }
}

macro_rules! lists {
    ($($trait:ident $method:ident)*) => {$(
        impl ser::$trait for List {
            type Ok = Written;
            type Error = DataError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
                self.add(value)
            }

            fn end(self) -> Result<Written, DataError> {
                Ok(self.finish())
            }
        }
    )*};
}

lists! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

struct Members {
    name: Option<&'static str>,
    key: Option<String>,
    table: Table,
}

impl Members {
    fn add<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), DataError> {
        if let Some(value) = write(value)? {
            self.table.insert(key, value);
        }
        Ok(())
    }

    fn finish(self) -> Written {
        let value = Written::Value(Value::Table(self.table));
        match self.name {
            Some(name) => case(name, value),
            None => value,
        }
    }
}

macro_rules! structs {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Members {
            type Ok = Written;
            type Error = DataError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), DataError> {
                self.add(wit_name(key), value)
            }

            fn end(self) -> Result<Written, DataError> {
                Ok(self.finish())
            }
        }
    )*};
}

structs! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Members {
    type Ok = Written;
    type Error = DataError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), DataError> {
        self.key = match write(key)? {
            Some(Value::String(key)) => Some(key),
            _ => return Err(ser::Error::custom("a key that is no text")),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
        let key = self.key.take().unwrap_or_default();
        self.add(key, value)
    }

    fn end(self) -> Result<Written, DataError> {
        Ok(self.finish())
    }
}
