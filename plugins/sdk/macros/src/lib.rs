//! The `module!` macro of func-sdk.
//!
//! It is a procedural macro only because the bindings need the path of the host's WIT, which a declarative macro
//! cannot work out for a crate that lies somewhere else.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use proc_macro::{Delimiter, TokenStream, TokenTree};
use wit_parser::Resolve;

/// The host's interfaces. The SDK has their bindings already; a module's own bindings refer to those.
const INTERFACES: [&str; 7] = ["types", "values", "job", "clock", "command", "files", "config"];
const HOST_VERSION: &str = "0.1.0";

/// Makes the crate a module: `func_sdk::module!(Disk);`.
///
/// It reads the WIT of the crate's folder `wit`, generates the traits to implement (under `exports`), and exports the
/// named type, which implements them. Two settings may follow:
///
/// - `wit: "folder"`: another folder than `wit`;
/// - `world: "name"`: which world, when the package has more than one.
#[proc_macro]
pub fn module(input: TokenStream) -> TokenStream {
    Settings::parse(input)
        .and_then(|settings| settings.expand())
        .unwrap_or_else(|message| format!("::core::compile_error!({message:?});"))
        .parse()
        .expect("the macro writes Rust")
}

/// What the author wrote between the parentheses.
struct Settings {
    implementor: String,
    wit: String,
    world: Option<String>,
}

impl Settings {
    fn parse(input: TokenStream) -> Result<Self, String> {
        const USAGE: &str =
            "write `module!(Type)`, `module!(Type, wit: \"folder\")` or `module!(Type, world: \"name\")`";
        let mut parts = split_at_commas(input).into_iter();
        let implementor = match parts.next().as_deref() {
            Some([TokenTree::Ident(name)]) => name.to_string(),
            _ => return Err(USAGE.to_owned()),
        };
        let mut given = BTreeMap::new();
        for part in parts {
            match &part[..] {
                [] => {}
                [TokenTree::Ident(key), TokenTree::Punct(colon), value @ TokenTree::Literal(_)]
                    if colon.as_char() == ':' =>
                {
                    given.insert(key.to_string(), value.to_string().trim_matches('"').to_owned());
                }
                [TokenTree::Ident(key), TokenTree::Punct(colon), TokenTree::Group(group)]
                    if colon.as_char() == ':' && group.delimiter() == Delimiter::None =>
                {
                    given.insert(key.to_string(), group.stream().to_string().trim_matches('"').to_owned());
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        let wit = given.remove("wit").unwrap_or_else(|| "wit".to_owned());
        let world = given.remove("world");
        if let Some(unknown) = given.keys().next() {
            return Err(format!("`{unknown}` is not a setting of `module!`: {USAGE}"));
        }
        Ok(Self { implementor, wit, world })
    }

    fn expand(&self) -> Result<String, String> {
        let Self { implementor, wit, .. } = self;
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit");
        let world = self.world(&host)?;
        let with: String = INTERFACES
            .iter()
            .map(|name| format!("\"minion:host/{name}@{HOST_VERSION}\": ::func_sdk::{name},"))
            .collect();
        Ok(format!(
            r#"
            #[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated from the module's WIT")]
            mod bindings {{
                ::func_sdk::wit_bindgen::generate!({{
                    path: [{host:?}, {wit:?}],
                    world: {world:?},
                    with: {{ {with} }},
                    generate_all,
                    runtime_path: "::func_sdk::rt",
                    additional_derives: [PartialEq],
                }});
            }}
            use bindings::exports;
            #[cfg(target_family = "wasm")]
            bindings::export!({implementor} with_types_in bindings);
            "#
        ))
    }

    /// The full name of the module's world. The bindings ask for it, since the host's package has worlds too.
    fn world(&self, host: &Path) -> Result<String, String> {
        let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
        let mut resolve = Resolve::default();
        let mut read = |path: &Path| resolve.push_path(path).map_err(|error| format!("{error:#}"));
        read(host)?;
        let (package, _) = read(&root.join(&self.wit))?;
        let world = resolve.select_world(&[package], self.world.as_deref()).map_err(|error| format!("{error:#}"))?;
        Ok(resolve.id_of_name(package, &resolve.worlds[world].name))
    }
}

fn split_at_commas(input: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in input {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => parts.push(Vec::new()),
            (_, Some(part)) => part.push(token),
            (_, None) => {}
        }
    }
    parts
}
