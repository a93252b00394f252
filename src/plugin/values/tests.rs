//! Values both ways, for every type that WIT has.

use std::{collections::BTreeMap, sync::OnceLock};

use proptest::{collection, prelude::*};
use wasmtime::component::{
    Component, Val,
    types::{ComponentItem, Type},
};

use super::{dynamic, *};
use crate::{
    plugin::{fixture::engine, signature},
    wire::Value,
};

const TYPES: &str = r#"
    (type $colour' (enum "red" "sky-blue")) (export "colour" (type $colour (eq $colour')))
    (type $may' (flags "read" "execute-it")) (export "may" (type $may (eq $may')))
    (type $pair (tuple u32 string))
    (type $shape' (variant (case "point") (case "round-one" f64) (case "pair" $pair)))
    (export "shape" (type $shape (eq $shape')))
    (type $bytes (list u8)) (type $strings (list string))
    (type $entry (tuple string $colour)) (type $dictionary (list $entry))
    (type $maybe (option s32)) (type $maybe-maybe (option $maybe)) (type $thrice (option $maybe-maybe))
    (type $outcome (result u8 (error string))) (type $bare (result)) (type $bad (result (error $colour)))
    (type $map (map string s16)) (type $numbered (map u32 string))
    (type $three (list s8 3))
    (type $everything' (record
        (field "truth" bool) (field "two-words" string) (field "letter" char) (field "small" s8) (field "large" u64)
        (field "narrow" f32) (field "wide" f64) (field "raw" $bytes) (field "colour" $colour) (field "may" $may)
        (field "shape" $shape) (field "perhaps" $maybe) (field "names" $dictionary) (field "held" $outcome)))
    (export "everything" (type $everything (eq $everything')))
    (type $many (list $everything))
    (type $datetime' (record (field "seconds" s64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (type $links (list u32)) (type $member (tuple string u32)) (type $members (list $member))
    (type $item' (variant (case "nil") (case "truth" bool) (case "int" s64) (case "real" f64) (case "text" string)
        (case "bytes" $bytes) (case "time" $datetime) (case "array" $links) (case "struct" $members)))
    (export "item" (type $item (eq $item')))
    (type $items (list $item))
    (type $value' (record (field "items" $items))) (export "value" (type $value (eq $value')))
    (type $values (list $value))
"#;

const NAMED: [(&str, &str); 34] = [
    ("bool", "bool"),
    ("s8", "s8"),
    ("u8", "u8"),
    ("s16", "s16"),
    ("u16", "u16"),
    ("s32", "s32"),
    ("u32", "u32"),
    ("s64", "s64"),
    ("u64", "u64"),
    ("f32", "f32"),
    ("f64", "f64"),
    ("char", "char"),
    ("string", "string"),
    ("colour", "$colour"),
    ("may", "$may"),
    ("shape", "$shape"),
    ("pair", "$pair"),
    ("bytes", "$bytes"),
    ("strings", "$strings"),
    ("dictionary", "$dictionary"),
    ("maybe", "$maybe"),
    ("maybe-maybe", "$maybe-maybe"),
    ("thrice", "$thrice"),
    ("outcome", "$outcome"),
    ("bare", "$bare"),
    ("bad", "$bad"),
    ("map", "$map"),
    ("numbered", "$numbered"),
    ("three", "$three"),
    ("everything", "$everything"),
    ("many", "$many"),
    ("value", "$value"),
    ("values", "$values"),
    ("datetime", "$datetime"),
];

/// The types above, reflected from a component that imports functions with them.
fn types() -> &'static BTreeMap<String, Type> {
    static TYPES_BY_NAME: OnceLock<BTreeMap<String, Type>> = OnceLock::new();
    TYPES_BY_NAME.get_or_init(|| {
        let functions: Vec<String> = NAMED
            .iter()
            .map(|(name, ty)| {
                format!("(type $f-{name} (func (param \"it\" {ty}))) (export \"f-{name}\" (func (type $f-{name})))")
            })
            .collect();
        let functions = functions.concat();
        let text =
            format!("(component (type $i (instance {TYPES} {functions})) (import \"t:t/t\" (instance (type $i))))");
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        let component = Component::from_binary(engine().wasmtime(), &bytes).unwrap();
        let mut found = BTreeMap::new();
        for (_, import) in component.component_type().imports(component.engine()) {
            let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
            for (name, item) in instance.exports(component.engine()) {
                if let ComponentItem::ComponentFunc(function) = item.ty {
                    let name = name.trim_start_matches("f-").to_owned();
                    found.insert(name, function.params().next().unwrap().1);
                }
            }
        }
        assert_eq!(found.len(), NAMED.len());
        found
    })
}

fn ty(name: &str) -> &'static Type {
    &types()[name]
}

fn lowered(name: &str, value: &Value) -> Result<Val, String> {
    lower(value, ty(name)).map_err(|mismatch| format!("{}: {}", mismatch.place("it"), mismatch.what()))
}

fn lifted(name: &str, val: &Val) -> Result<Value, String> {
    let mut budget = Budget::new(1 << 20);
    lift(val, ty(name), &mut budget).map_err(|mismatch| format!("{}: {}", mismatch.place("it"), mismatch.what()))
}

/// What comes back when the value is sent in and out.
fn round(name: &str, value: &Value) -> Value {
    lifted(name, &lowered(name, value).unwrap()).unwrap()
}

/// Values as the wire writes them, for a type.
fn wire_values(ty: &Type) -> BoxedStrategy<Value> {
    let named = |name: &str| Value::String(wire_name(name));
    let integer = || any::<i64>();
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Float32 => {
            any::<f32>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| Value::Double(n.into())).boxed()
        }
        Type::Float64 => any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Double).boxed(),
        Type::Char => any::<char>().prop_map(|c| Value::String(c.into())).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::Enum(shape) => {
            let words: Vec<_> = shape.names().map(named).collect();
            prop::sample::select(words).boxed()
        }
        Type::Flags(shape) => {
            let words: Vec<_> = shape.names().map(named).collect();
            let count = words.len();
            prop::sample::subsequence(words, 0..=count).prop_map(Value::Array).boxed()
        }
        Type::List(list) if matches!(list.ty(), Type::U8) => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
        Type::List(list) => match signature::dictionary(&list.ty()) {
            Some(ty) => collection::btree_map(any::<String>(), wire_values(&ty), 0..4).prop_map(Value::Struct).boxed(),
            None => collection::vec(wire_values(&list.ty()), 0..4).prop_map(Value::Array).boxed(),
        },
        Type::FixedLengthList(list) => {
            collection::vec(wire_values(&list.ty()), list.len() as usize).prop_map(Value::Array).boxed()
        }
        Type::Map(map) if matches!(map.key(), Type::String) => {
            collection::btree_map(any::<String>(), wire_values(&map.value()), 0..4).prop_map(Value::Struct).boxed()
        }
        Type::Map(map) => {
            let keys = collection::btree_map(any::<u32>(), wire_values(&map.value()), 0..4);
            let pair = |(key, value): (u32, Value)| Value::Array(vec![Value::Int(key.into()), value]);
            keys.prop_map(move |pairs| Value::Array(pairs.into_iter().map(pair).collect())).boxed()
        }
        Type::Record(_) if dynamic::is_dynamic(ty) => any_value(true),
        Type::Record(record) => {
            let fields: Vec<_> =
                record.fields().map(|field| (Just(wire_name(field.name)), wire_values(&field.ty))).collect();
            fields.prop_map(Value::structure).boxed()
        }
        Type::Tuple(tuple) => {
            let parts: Vec<_> = tuple.types().map(|ty| wire_values(&ty)).collect();
            parts.prop_map(Value::Array).boxed()
        }
        Type::Variant(variant) => {
            let cases = variant.cases().map(|case| {
                let name = wire_name(case.name);
                match case.ty {
                    None => Just(Value::String(name)).boxed(),
                    Some(ty) => {
                        wire_values(&ty).prop_map(move |value| Value::structure([(name.clone(), value)])).boxed()
                    }
                }
            });
            prop::strategy::Union::new(cases).boxed()
        }
        Type::Option(option) => {
            let inner = option.ty();
            let some = wire_values(&inner);
            let some = if is_option(&inner) {
                some.prop_map(|value| Value::Array(if value == Value::Nil { vec![] } else { vec![value] })).boxed()
            } else {
                some
            };
            prop_oneof![Just(Value::Nil), some].boxed()
        }
        Type::Result(result) => {
            let side = |ty: Option<Type>| ty.map_or_else(|| Just(Value::Nil).boxed(), |ty| wire_values(&ty));
            let named = |name: &'static str, values: BoxedStrategy<Value>| {
                values.prop_map(move |value| Value::structure([(name, value)]))
            };
            prop_oneof![named("ok", side(result.ok())), named("err", side(result.err()))].boxed()
        }
        Type::U64 => integer().prop_map(|n| Value::Int(n & i64::MAX)).boxed(),
        _ => {
            let (min, max) = signature::range(ty).unwrap();
            (min..=max).prop_map(Value::Int).boxed()
        }
    }
}

/// Any value at all; `finite` leaves out what the wire cannot carry.
fn any_value(finite: bool) -> BoxedStrategy<Value> {
    let date = (1i16..9000, 1i8..=12, 1i8..=28, 0i8..24, 0i8..60, 0i8..60)
        .prop_map(|(y, m, d, h, min, s)| Value::DateTime(jiff::civil::datetime(y, m, d, h, min, s, 0)));
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("finite", move |n| !finite || n.is_finite()).prop_map(Value::Double),
        "[a-z0-9.-]{0,6}|.{0,6}".prop_map(Value::String),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        date,
    ];
    let tree = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            collection::btree_map("[a-z_-]{0,8}|ok|err|pair|items", inner, 0..4).prop_map(Value::Struct),
        ]
    });
    tree.boxed()
}

#[test]
fn every_type_brings_back_what_the_wire_sent() {
    for (name, ty) in types() {
        let mut runner = proptest::test_runner::TestRunner::default();
        let check = |value: Value| {
            prop_assert_eq!(round(name, &value), value);
            Ok(())
        };
        runner.run(&wire_values(ty), check).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

proptest! {
    #[test]
    fn no_value_breaks_a_type_and_what_fits_stays_itself(value in any_value(false)) {
        for name in types().keys() {
            let Ok(val) = lowered(name, &value) else { continue };
            let Ok(back) = lifted(name, &val) else { continue };
            prop_assert!(lowered(name, &back).as_ref() == Ok(&val), "{name}: {back:?}");
        }
    }
}

#[test]
fn text_that_reads_as_a_number_or_a_boolean_is_accepted_where_the_type_is_one() {
    assert_eq!(lowered("u8", &" 200 ".into()), Ok(Val::U8(200)));
    assert_eq!(lowered("u64", &"18446744073709551615".into()), Ok(Val::U64(u64::MAX)));
    assert_eq!(lowered("f64", &"1e3".into()), Ok(Val::Float64(1000.0)));
    assert_eq!(lowered("f64", &3.into()), Ok(Val::Float64(3.0)));
    assert_eq!(lowered("bool", &"True".into()), Ok(Val::Bool(true)));
    assert_eq!(lowered("bool", &"0".into()), Ok(Val::Bool(false)));
    assert_eq!(lowered("string", &1.into()), Err("it: wanted string, got integer".to_owned()));
    for (name, text) in [("u8", "x"), ("u8", "1.0"), ("f64", "inf"), ("f64", "NaN"), ("bool", "yes"), ("f32", "1e300")]
    {
        assert!(lowered(name, &text.into()).is_err(), "{name} {text}");
    }
}

#[test]
fn a_mismatch_names_its_place_and_the_type_wanted() {
    let shape = |value: Value| lowered("shape", &value).unwrap_err();
    assert_eq!(lowered("s8", &128.into()), Err("it: wanted s8, got 128, which is out of its range".to_owned()));
    assert_eq!(
        lowered("strings", &vec![Value::from("a"), Value::Nil].into()),
        Err("it[1]: wanted string, got nil".to_owned())
    );
    assert_eq!(lowered("colour", &"blue".into()), Err("it: wanted one of red, sky_blue, got `blue`".to_owned()));
    assert_eq!(shape("hexagon".into()), "it: wanted one of point, round_one, pair, got `hexagon`");
    assert_eq!(shape("round_one".into()), "it.round_one: needs a value: {round_one: f64}");
    assert_eq!(
        shape(Value::structure([("pair", vec![Value::Int(1), Value::Int(2)].into())])),
        "it.pair[1]: wanted string, got integer"
    );
    assert_eq!(lowered("three", &vec![1i64, 2].into()), Err("it: wanted list<s8, 3>, got an array of 2".to_owned()));
    let entry = Value::structure([("a b", Value::from("grey"))]);
    assert_eq!(lowered("dictionary", &entry), Err("it.a b: wanted one of red, sky_blue, got `grey`".to_owned()));
    assert_eq!(
        lowered("may", &vec!["read", "fly"].into()),
        Err("it[1]: wanted one of read, execute_it, got `fly`".to_owned())
    );
    assert_eq!(
        lowered("char", &"ab".into()),
        Err("it: wanted char (a string of one character), got string".to_owned())
    );
}

#[test]
fn records_want_every_field_and_no_other() {
    let time = |members: &[(&str, i64)]| Value::structure(members.iter().map(|(key, n)| (*key, Value::Int(*n))));
    assert!(lowered("datetime", &time(&[("seconds", 1), ("nanoseconds", 2)])).is_ok());
    assert_eq!(lowered("datetime", &time(&[("seconds", 1)])), Err("it.nanoseconds: is missing; wanted u32".to_owned()));
    let unknown = lowered("datetime", &time(&[("seconds", 1), ("nanoseconds", 2), ("zone", 3)]));
    assert_eq!(unknown, Err("it.zone: is not a field; the fields are seconds, nanoseconds".to_owned()));
}

#[test]
fn names_are_read_with_either_dash() {
    assert_eq!(lowered("colour", &"sky-blue".into()), Ok(Val::Enum("sky-blue".to_owned())));
    assert_eq!(lowered("colour", &"sky_blue".into()), Ok(Val::Enum("sky-blue".to_owned())));
    assert_eq!(round("colour", &"sky-blue".into()), "sky_blue".into());
}

#[test]
fn nested_options_are_told_apart() {
    let some = |val| Val::Option(Some(Box::new(val)));
    let none = Val::Option(None);
    let array = |items: Vec<Value>| Value::Array(items);
    assert_eq!(lowered("maybe-maybe", &Value::Nil), Ok(none.clone()));
    assert_eq!(lowered("maybe-maybe", &array(vec![])), Ok(some(none.clone())));
    assert_eq!(lowered("maybe-maybe", &array(vec![1.into()])), Ok(some(some(Val::S32(1)))));
    assert_eq!(lowered("thrice", &array(vec![array(vec![])])), Ok(some(some(none))));
    assert!(lowered("maybe-maybe", &1.into()).is_err());
}

#[test]
fn what_the_wire_cannot_carry_is_an_error_with_its_place() {
    let out = |name, val| lifted(name, &val).unwrap_err();
    assert!(out("u64", Val::U64(1 << 63)).starts_with("it: 9223372036854775808 does not fit"));
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(out("f64", Val::Float64(number)).contains("neither NaN nor infinities"));
    }
    let entry = |key: &str| Val::Tuple(vec![Val::String(key.to_owned()), Val::Enum("red".to_owned())]);
    assert_eq!(out("dictionary", Val::List(vec![entry("a"), entry("a")])), "it.a: the key comes twice");
    let repeated = vec![vec![Value::Int(1), "a".into()], vec![Value::Int(1), "b".into()]];
    assert_eq!(lowered("numbered", &repeated.into()), Err("it[1]: the key comes twice".to_owned()));
}

#[test]
fn a_dynamic_value_that_breaks_its_rules_is_refused() {
    let case = |name: &str, payload| Val::Variant(name.to_owned(), Some(Box::new(payload)));
    let arena = |items| Val::Record(vec![("items".to_owned(), Val::List(items))]);
    let array = |links: &[u32]| case("array", Val::List(links.iter().map(|link| Val::U32(*link)).collect()));
    let out = |items| lifted("value", &arena(items)).unwrap_err();
    assert!(out(vec![]).contains("no item 0"));
    assert!(out(vec![array(&[0])]).contains("item 0 refers to item 0"));
    assert!(out(vec![array(&[1]), array(&[0])]).contains("item 1 refers to item 0"));
    assert!(out(vec![array(&[9])]).contains("no item 9"));
    assert!(out(vec![case("real", Val::Float64(f64::NAN))]).contains("NaN"));
    let time = |seconds, nanoseconds| {
        let fields = [("seconds", Val::S64(seconds)), ("nanoseconds", Val::U32(nanoseconds))];
        case("time", Val::Record(fields.map(|(name, val)| (name.to_owned(), val)).into()))
    };
    assert!(out(vec![time(i64::MAX, 0)]).contains("out of range"));
    assert!(out(vec![time(0, u32::MAX)]).contains("nanoseconds"));
    // Levels in which every item names the next one twice: 2^25 values if it were unfolded.
    let doubled = (0..25).map(|i| array(&[i + 1, i + 1])).chain([Val::Variant("nil".to_owned(), None)]);
    assert!(out(doubled.collect()).contains("larger than the limit"));
    let deep = (0..100).map(|i| array(&[i + 1])).chain([Val::Variant("nil".to_owned(), None)]);
    assert!(out(deep.collect()).contains("deeper than"));
}

#[test]
fn the_levels_of_a_type_and_of_a_dynamic_value_in_it_add_up() {
    let ty = ty("values");
    let nested = |levels: u32| {
        let array = |link: u32| Val::Variant("array".to_owned(), Some(Box::new(Val::List(vec![Val::U32(link)]))));
        let items = (1..=levels).map(array).chain([Val::Variant("nil".to_owned(), None)]);
        Val::List(vec![Val::Record(vec![("items".to_owned(), Val::List(items.collect()))])])
    };
    assert!(lift(&nested(27), ty, &mut Budget::new(1 << 20)).is_ok());
    let refused = lift(&nested(28), ty, &mut Budget::new(1 << 20)).unwrap_err();
    assert!(refused.is_over_limit() && refused.what().contains("deeper than"), "{refused:?}");
}

#[test]
fn flags_and_small_doubles_take_what_they_are_written_with() {
    let rest = |name: &str, val: &Val, limit| lift(val, ty(name), &mut Budget::new(limit)).is_ok();
    assert!(rest("f64", &Val::Float64(0.5), 50) && !rest("f64", &Val::Float64(5e-324), 300));
    let flags = Val::Flags(vec!["read".to_owned(), "execute-it".to_owned()]);
    assert!(rest("may", &flags, 100) && !rest("may", &flags, 30));
}

#[test]
fn depth_is_bounded_on_the_way_in() {
    let deep = (0..100).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
    assert!(lowered("value", &deep).unwrap_err().contains("deeper than"));
}

#[test]
fn types_are_told_in_words() {
    let words = |name: &str| (signature::wit(ty(name)), signature::wire(ty(name)));
    assert_eq!(words("shape").0, "variant { point, round-one(f64), pair(tuple<u32, string>) }");
    assert_eq!(words("bad"), ("result<_, enum { red, sky-blue }>".to_owned(), "hash"));
    assert_eq!(words("maybe-maybe"), ("option<option<s32>>".to_owned(), "int"));
    assert_eq!(words("bytes"), ("list<u8>".to_owned(), "base64"));
    assert_eq!(words("dictionary").1, "hash");
    assert_eq!(words("three"), ("list<s8, 3>".to_owned(), "list"));
    assert_eq!(words("numbered").0, "map<u32, string>");
    assert_eq!(words("value"), ("value".to_owned(), "any"));
    assert_eq!(signature::options(ty("colour")), ["red", "sky_blue"]);
}
