//! Types of WIT as text, with names that only live in one file followed to what they mean.
//!
//! Two functions are the same when their texts are, whichever files or binaries their types were read from.

use wit_parser::{Function, FunctionKind, Handle, Resolve, Type, TypeDefKind};

/// What a function takes and gives, such as `(path: option<string>) -> result<u64, record{message: string}>`.
pub(super) fn of_function(resolve: &Resolve, function: &Function) -> String {
    let params = function.params.iter().map(|param| format!("{}: {}", param.name, of_type(resolve, &param.ty)));
    let result = function.result.as_ref().map(|ty| format!(" -> {}", of_type(resolve, ty)));
    let is_async = matches!(
        function.kind,
        FunctionKind::AsyncFreestanding | FunctionKind::AsyncMethod(_) | FunctionKind::AsyncStatic(_)
    );
    format!("{}({}){}", if is_async { "async " } else { "" }, joined(params), result.unwrap_or_default())
}

fn of_type(resolve: &Resolve, ty: &Type) -> String {
    let name = match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => {
            let definition = &resolve.types[*id];
            return of_definition(resolve, definition.name.as_deref().unwrap_or_default(), &definition.kind);
        }
    };
    name.to_owned()
}

fn of_definition(resolve: &Resolve, name: &str, kind: &TypeDefKind) -> String {
    let ty = |ty: &Type| of_type(resolve, ty);
    let perhaps = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), |ty| of_type(resolve, ty));
    let resource = |id| resolve.types[id].name.clone().unwrap_or_default();
    match kind {
        TypeDefKind::Type(alias) => ty(alias),
        TypeDefKind::Record(record) => {
            format!(
                "record{{{}}}",
                joined(record.fields.iter().map(|field| format!("{}: {}", field.name, ty(&field.ty))))
            )
        }
        TypeDefKind::Flags(flags) => format!("flags{{{}}}", joined(flags.flags.iter().map(|flag| flag.name.clone()))),
        TypeDefKind::Enum(cases) => format!("enum{{{}}}", joined(cases.cases.iter().map(|case| case.name.clone()))),
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| format!("{}({})", case.name, perhaps(&case.ty)));
            format!("variant{{{}}}", joined(cases))
        }
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", joined(tuple.types.iter().map(ty))),
        TypeDefKind::Option(inner) => format!("option<{}>", ty(inner)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", perhaps(&result.ok), perhaps(&result.err)),
        TypeDefKind::List(inner) => format!("list<{}>", ty(inner)),
        TypeDefKind::FixedLengthList(inner, length) => format!("list<{}, {length}>", ty(inner)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", ty(key), ty(value)),
        TypeDefKind::Future(inner) => format!("future<{}>", perhaps(inner)),
        TypeDefKind::Stream(inner) => format!("stream<{}>", perhaps(inner)),
        TypeDefKind::Resource => format!("resource {name}"),
        TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", resource(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", resource(*id)),
        TypeDefKind::Unknown => "unknown".to_owned(),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(wit: &str) -> String {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("test.wit", wit).unwrap();
        let interface = resolve.packages[package].interfaces["i"];
        of_function(&resolve, &resolve.interfaces[interface].functions["f"])
    }

    #[test]
    fn a_name_means_what_it_stands_for() {
        let one =
            signature("package a:b; interface i { record r { n: list<u8> } f: func(x: r) -> result<_, string>; }");
        let two = signature(
            "package a:b; interface t { type bytes = list<u8>; record other { n: bytes } }
             interface i { use t.{other as r}; f: func(x: r) -> result<_, string>; }",
        );
        assert_eq!(one, "(x: record{n: list<u8>}) -> result<_, string>");
        assert_eq!(one, two);
    }

    #[test]
    fn every_kind_of_type_has_a_text() {
        let wit = "package a:b; interface i {
            flags p { r, w } enum c { red } variant v { none, some(u8) } resource h;
            f: func(a: p, b: c, c: v, d: tuple<bool, char>, e: option<f32>, g: borrow<h>) -> list<s64>;
        }";
        let text = "(a: flags{r, w}, b: enum{red}, c: variant{none(_), some(u8)}, d: tuple<bool, char>, e: option<f32>, \
                    g: borrow<h>) -> list<s64>";
        assert_eq!(signature(wit), text);
    }
}
