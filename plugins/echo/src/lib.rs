//! Gives back what it is given, type by type.

use exports::base::echo::echo::{Choice, Guest, Letters, Point, Shape};
use func_sdk::values::Value;

func_sdk::module!(Echo);

struct Echo;

/// A method that answers its one argument.
macro_rules! echo {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(value: $type) -> $type {
            value
        })*
    };
}

impl Guest for Echo {
    echo! {
        run_boolean: bool,
        run_int: i64,
        run_s8: i8,
        run_s16: i16,
        run_s32: i32,
        run_u8: u8,
        run_u16: u16,
        run_u32: u32,
        run_u64: u64,
        run_float: f64,
        run_float32: f32,
        run_char: char,
        run_string: String,
        run_bytes: Vec<u8>,
        run_list: Vec<String>,
        run_hash: Vec<(String, String)>,
        run_tuple: (String, i64),
        run_record: Point,
        run_optional: Option<String>,
        run_options: Choice,
        run_flags: Letters,
        run_variant: Shape,
        run_value: Value,
    }
}
