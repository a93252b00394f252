//! Every item of `wit/` says what it is: authors have nothing else to go by.

use std::path::Path;

use wit_parser::{Resolve, TypeDefKind};

#[test]
fn no_item_of_the_host_s_interfaces_is_without_a_word() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("wit")).unwrap();
    let mut silent = Vec::new();
    let mut items = 0;
    let mut check = |name: String, docs: &wit_parser::Docs| {
        items += 1;
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            silent.push(name);
        }
    };
    for (name, id) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[*id];
        check(name.clone(), &interface.docs);
        for (function, declared) in &interface.functions {
            check(format!("{name}.{function}"), &declared.docs);
        }
        for (type_name, id) in &interface.types {
            let declared = &resolve.types[*id];
            let place = format!("{name}.{type_name}");
            match &declared.kind {
                // An item that another interface declares and documents.
                TypeDefKind::Type(_) => continue,
                TypeDefKind::Record(record) => {
                    record.fields.iter().for_each(|field| check(format!("{place}.{}", field.name), &field.docs));
                }
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().for_each(|case| check(format!("{place}.{}", case.name), &case.docs));
                }
                TypeDefKind::Enum(cases) => {
                    cases.cases.iter().for_each(|case| check(format!("{place}.{}", case.name), &case.docs));
                }
                TypeDefKind::Flags(flags) => {
                    flags.flags.iter().for_each(|flag| check(format!("{place}.{}", flag.name), &flag.docs));
                }
                _ => {}
            }
            check(place, &declared.docs);
        }
    }
    for (name, id) in &resolve.packages[package].worlds {
        check(format!("world {name}"), &resolve.worlds[*id].docs);
    }
    assert!(items > 60, "only {items} items were found");
    assert!(silent.is_empty(), "without documentation: {silent:?}");
}
