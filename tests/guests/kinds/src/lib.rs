//! Takes and gives every kind of value, so that tests can send each both ways.

use std::cell::Cell;

use exports::guests::kinds::{
    handles,
    kinds::{Colour, Everything, Guest, Held, Lamps, Permissions, Shape},
};
use func_sdk::{Error, Result, values::Value};

func_sdk::module!(Kinds);

struct Kinds;

impl Guest for Kinds {
    fn echo_bool(it: bool) -> bool {
        it
    }

    fn echo_s8(it: i8) -> i8 {
        it
    }

    fn echo_s16(it: i16) -> i16 {
        it
    }

    fn echo_s32(it: i32) -> i32 {
        it
    }

    fn echo_s64(it: i64) -> i64 {
        it
    }

    fn echo_u8(it: u8) -> u8 {
        it
    }

    fn echo_u16(it: u16) -> u16 {
        it
    }

    fn echo_u32(it: u32) -> u32 {
        it
    }

    fn echo_u64(it: u64) -> u64 {
        it
    }

    fn echo_f32(it: f32) -> f32 {
        it
    }

    fn echo_f64(it: f64) -> f64 {
        it
    }

    fn echo_char(it: char) -> char {
        it
    }

    fn echo_string(it: String) -> String {
        it
    }

    fn echo_list(it: Vec<i32>) -> Vec<i32> {
        it
    }

    fn echo_bytes(it: Vec<u8>) -> Vec<u8> {
        it
    }

    fn echo_matrix(it: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        it
    }

    fn echo_tuple(it: (i32, String, bool)) -> (i32, String, bool) {
        it
    }

    fn echo_record(it: Everything) -> Everything {
        it
    }

    fn echo_variant(it: Shape) -> Shape {
        it
    }

    fn echo_enum(it: Colour) -> Colour {
        it
    }

    fn echo_flags(it: Permissions) -> Permissions {
        it
    }

    fn echo_lamps(it: Lamps) -> Lamps {
        it
    }

    fn echo_option(it: Option<i32>) -> Option<i32> {
        it
    }

    fn echo_nested_option(it: Option<Option<i32>>) -> Option<Option<i32>> {
        it
    }

    fn echo_options(it: Vec<Option<String>>) -> Vec<Option<String>> {
        it
    }

    fn echo_map(it: Vec<(String, u32)>) -> Vec<(String, u32)> {
        it
    }

    fn echo_records(it: Vec<Everything>) -> Vec<Everything> {
        it
    }

    fn echo_held_result(it: Held) -> Held {
        it
    }

    fn echo_dynamic(it: Value) -> Value {
        it
    }

    fn to_f32(text: String) -> f32 {
        text.parse().expect("a number")
    }

    fn to_f64(text: String) -> f64 {
        text.parse().expect("a number")
    }

    fn to_string(utf8: Vec<u8>) -> String {
        String::from_utf8(utf8).expect("UTF-8")
    }

    fn nothing() {}

    fn must(it: Option<String>) -> Result<String> {
        it.ok_or_else(|| Error::not_found("there is no value").hint("give one"))
    }

    fn must_text(it: Option<u32>) -> core::result::Result<u32, String> {
        it.ok_or_else(|| "there is no value".to_owned())
    }

    fn must_silent(it: Option<u32>) -> core::result::Result<u32, ()> {
        it.ok_or(())
    }

    fn check(well: bool) -> core::result::Result<(), String> {
        if well { Ok(()) } else { Err("it is not well".to_owned()) }
    }

    fn bare(well: bool) -> core::result::Result<(), ()> {
        if well { Ok(()) } else { Err(()) }
    }

    fn trailing(first_one: i32, second: Option<String>, third: Option<Colour>) -> String {
        format!("{first_one} {second:?} {third:?}")
    }
}

struct Counter(Cell<u32>);

impl handles::GuestCounter for Counter {
    fn new() -> Self {
        Self(Cell::new(0))
    }

    fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

impl handles::Guest for Kinds {
    type Counter = Counter;

    fn make() -> handles::Counter {
        handles::Counter::new(Counter(Cell::new(0)))
    }

    fn seven() -> u32 {
        7
    }
}
