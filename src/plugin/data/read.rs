//! From data to a value.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, VariantAccess, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use toml::{Table, Value};

use super::{BASE64, DataError, wit_name};

/// The value that the data stands for.
pub(in crate::plugin) fn read<T: DeserializeOwned>(data: Option<&Value>) -> Result<T, DataError> {
    T::deserialize(Reader(data))
}

#[derive(Clone, Copy)]
struct Reader<'a>(Option<&'a Value>);

impl<'a> Reader<'a> {
    fn wrong<T>(self, wanted: &str) -> Result<T, DataError> {
        let found = self.0.map_or("nothing", Value::type_str);
        Err(DataError::custom(format!("{wanted} wanted, found {found}")))
    }

    fn table(self) -> Option<&'a Table> {
        self.0.and_then(Value::as_table)
    }
}

/// The name among `known` that WIT writes so.
fn known(name: &str, known: &'static [&'static str]) -> Result<&'static str, DataError> {
    let found = known.iter().find(|known| wit_name(known) == name);
    found.copied().ok_or_else(|| {
        let known: Vec<String> = known.iter().map(|known| wit_name(known)).collect();
        DataError::custom(format!("there is no `{name}`: one of {}", known.join(", ")))
    })
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = DataError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DataError> {
        match self.0 {
            None => visitor.visit_none(),
            Some(Value::String(text)) => visitor.visit_str(text),
            Some(Value::Integer(number)) => visitor.visit_i64(*number),
            Some(Value::Float(number)) => visitor.visit_f64(*number),
            Some(Value::Boolean(truth)) => visitor.visit_bool(*truth),
            Some(Value::Array(_)) => self.deserialize_seq(visitor),
            Some(Value::Table(_)) => self.deserialize_map(visitor),
            Some(Value::Datetime(time)) => visitor.visit_string(time.to_string()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DataError> {
        if self.0.is_none() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DataError> {
        match self.table() {
            Some(table) if table.is_empty() => visitor.visit_unit(),
            _ if self.0.is_none() => visitor.visit_unit(),
            _ => self.wrong("nothing"),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DataError> {
        match self.0.and_then(Value::as_str).and_then(|text| text.parse().ok()) {
            Some(number) => visitor.visit_u64(number),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DataError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DataError> {
        match self.0 {
            Some(Value::Array(items)) => {
                visitor.visit_seq(SeqDeserializer::new(items.iter().map(|item| Reader(Some(item)))))
            }
            Some(Value::String(text)) => visitor.visit_seq(SeqDeserializer::new(text.bytes())),
            _ => match self.table().filter(|table| table.len() == 1).and_then(|table| table.get(BASE64)) {
                Some(Value::String(text)) => {
                    let bytes = STANDARD.decode(text).map_err(DataError::custom)?;
                    visitor.visit_seq(SeqDeserializer::new(bytes.into_iter()))
                }
                _ => self.wrong("a list, text or base64"),
            },
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DataError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DataError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DataError> {
        let Some(table) = self.table() else { return self.wrong("a table") };
        visitor.visit_map(MapDeserializer::new(table.iter().map(|(key, value)| (key.as_str(), Reader(Some(value))))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DataError> {
        let empty = Table::new();
        let table = match self.0 {
            None => &empty,
            Some(Value::Table(table)) => table,
            Some(_) => return self.wrong("a table"),
        };
        for key in table.keys() {
            known(key, fields)?;
        }
        // Every field in turn: one that was left out is nil, and what cannot be nil says that it is missing.
        let optional = fields.iter().map(|field| (*field, Reader(table.get(&wit_name(field)))));
        visitor.visit_map(MapDeserializer::new(optional))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DataError> {
        let (name, payload) = match self.0 {
            Some(Value::String(name)) => (name, None),
            Some(Value::Table(table)) if table.len() == 1 => match table.iter().next() {
                Some((name, payload)) => (name, Some(payload)),
                None => return self.wrong("a case"),
            },
            _ => return self.wrong("a case"),
        };
        visitor.visit_enum(Case { name: known(name, variants)?, payload: Reader(payload) })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char str string bytes byte_buf unit_struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, DataError> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Case<'a> {
    name: &'static str,
    payload: Reader<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Case<'a> {
    type Error = DataError;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), DataError> {
        let name: de::value::StrDeserializer<'_, DataError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.payload))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = DataError;

    fn unit_variant(self) -> Result<(), DataError> {
        if self.0.is_none() { Ok(()) } else { self.wrong("no payload") }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DataError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DataError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DataError> {
        self.deserialize_struct("", fields, visitor)
    }
}
