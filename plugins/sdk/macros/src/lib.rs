//! The `module!` macro of func-sdk.
//!
//! It is a procedural macro only because the bindings need the path of the host's WIT, which a declarative macro
//! cannot work out for a crate that lies somewhere else.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use proc_macro::{TokenStream, TokenTree};
use wit_parser::Resolve;

/// The host's interfaces. The SDK has their bindings already; a module's own bindings refer to those.
const INTERFACES: [&str; 7] = ["types", "values", "job", "clock", "command", "files", "config"];
const HOST_VERSION: &str = "0.1.0";

/// Makes the crate a module: `func_sdk::module!(Disk);`.
///
/// It reads the WIT of the crate's folder `wit`, generates the traits to implement (under `exports`), and exports the
/// named type, which implements them. When the WIT has more than one world, name the module's:
/// `func_sdk::module!(Disk, world: "name");`.
#[proc_macro]
pub fn module(input: TokenStream) -> TokenStream {
    Settings::parse(input)
        .and_then(|settings| settings.expand())
        .unwrap_or_else(|message| format!("::core::compile_error!({message:?});"))
        .parse()
        .unwrap_or_default()
}

const USAGE: &str = "write `module!(Type);` or `module!(Type, world: \"name\");`";

/// What the author wrote between the parentheses.
struct Settings {
    implementor: String,
    world: Option<String>,
}

impl Settings {
    fn parse(input: TokenStream) -> Result<Self, String> {
        let tokens: Vec<TokenTree> = input.into_iter().collect();
        let (implementor, rest) = match &tokens[..] {
            [TokenTree::Ident(implementor), rest @ ..] => (implementor.to_string(), rest),
            _ => return Err(USAGE.to_owned()),
        };
        let is = |token: &TokenTree, text: &str| token.to_string() == text;
        let world = match rest {
            [] => None,
            [comma] if is(comma, ",") => None,
            [comma, key, colon, TokenTree::Literal(name)] if is(comma, ",") && is(key, "world") && is(colon, ":") => {
                Some(name.to_string().trim_matches('"').to_owned())
            }
            _ => return Err(USAGE.to_owned()),
        };
        Ok(Self { implementor, world })
    }

    fn expand(&self) -> Result<String, String> {
        let implementor = &self.implementor;
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let world = self.world(&host)?;
        let map = |name: &&str| format!("\"minion:host/{name}@{HOST_VERSION}\": ::func_sdk::{name}");
        let with = INTERFACES.iter().map(map).collect::<Vec<_>>().join(", ");
        let host = host.display().to_string();
        Ok(format!(
            r#"
            #[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated from the module's WIT")]
            mod bindings {{
                ::func_sdk::wit_bindgen::generate!({{
                    path: [{host:?}, "wit"],
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
        let mut read = |path: &Path| match resolve.push_path(path) {
            Ok((package, _)) => Ok(package),
            Err(error) => Err(resolve.render_error(&error)),
        };
        read(host)?;
        let package = read(&root.join("wit"))?;
        let world = resolve.select_world(&[package], self.world.as_deref()).map_err(|error| format!("{error:#}"))?;
        Ok(resolve.id_of_name(package, &resolve.worlds[world].name))
    }
}
