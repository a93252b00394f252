//! Types by the names that their author gave them, in place of all that is in them.
//!
//! Reflection keeps no names, so a type is written out whole. The documentation has the names: what is written as a named
//! type would be is that type. A text only gets shorter by it, whatever the documentation says.

use std::borrow::Cow;

use super::TypeDocs;

/// The types of the host's that modules answer; they are documented there.
const OF_THE_HOST: [(&str, &str); 2] = [
    ("record { seconds: s64, nanoseconds: u32 }", "datetime"),
    ("variant { exited(s32), signalled(s32), timed_out }", "status"),
];
/// How deep types lie in one another, at most.
const DEPTH: usize = 16;

/// The text of a type, or of a whole signature, with the names of these types in it. Names of fields are those of the wire.
pub fn named(text: &str, types: &[TypeDocs]) -> String {
    let known = types.iter().map(|docs| (Cow::from(written_out(docs)), docs.name.as_str()));
    let of_the_host = OF_THE_HOST.map(|(all, name)| (Cow::from(all), name));
    let known: Vec<_> = known.chain(of_the_host).filter(|(all, _)| !all.is_empty()).collect();
    let mut text = on_the_wire(text);
    // The innermost are found first, and those that hold them in the next round.
    for _ in 0..DEPTH {
        let before = text.len();
        for (all, name) in known.iter().filter(|(all, name)| name.len() < all.len()) {
            text = text.replace(&**all, name);
        }
        if text.len() == before {
            break;
        }
    }
    text
}

/// A type as reflection would write it if it knew the names of those inside; empty for one without parts.
fn written_out(docs: &TypeDocs) -> String {
    let parts = docs.parts.iter().map(|part| match (docs.kind.as_str(), part.type_name.as_str()) {
        (_, "") => part.name.clone(),
        ("record", kind) => format!("{}: {kind}", part.name),
        (_, kind) => format!("{}({kind})", part.name),
    });
    let parts = parts.collect::<Vec<_>>().join(", ");
    if parts.is_empty() { parts } else { format!("{} {{ {parts} }}", docs.kind) }
}

/// The names of fields and cases as the wire has them: `-` between letters is `_`.
fn on_the_wire(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let plain =
        |(at, c): (usize, char)| if c == '-' && at > 0 && is_letter(at - 1) && is_letter(at + 1) { '_' } else { c };
    text.char_indices().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::PartDocs;

    fn docs(name: &str, kind: &str, parts: &[(&str, &str)]) -> TypeDocs {
        let part = |(name, kind): &(&str, &str)| PartDocs {
            name: (*name).to_owned(),
            type_name: (*kind).to_owned(),
            doc: String::new(),
        };
        TypeDocs { name: name.into(), kind: kind.into(), doc: String::new(), parts: parts.iter().map(part).collect() }
    }

    #[test]
    fn a_type_that_is_written_out_is_told_by_its_name() {
        let types = [
            docs("change", "record", &[("before", "option<net-bridge>"), ("at", "datetime")]),
            docs("net-bridge", "record", &[("is_up", "bool"), ("kind", "kind")]),
            docs("kind", "variant", &[("plain_one", ""), ("other", "string")]),
        ];
        let text = "b.add(name: string) -> result<record { before: option<record { is-up: bool, kind: variant { plain-one, \
                    other(string) } }>, at: record { seconds: s64, nanoseconds: u32 } }, error>";
        assert_eq!(named(text, &types), "b.add(name: string) -> result<change, error>");
        assert_eq!(named("list<u8>", &types), "list<u8>");
        assert_eq!(named("record { a-b: u8 }", &[]), "record { a_b: u8 }");
    }

    #[test]
    fn names_that_make_no_sense_do_not_make_a_text_longer() {
        let types = [docs(&"x".repeat(99), "enum", &[("a", "")]), docs("", "record", &[("a", "")])];
        assert_eq!(named("enum { a }", &types), "enum { a }");
    }
}
