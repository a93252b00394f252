//! A module's WIT: read from its crate, compared with what was compiled, encoded for packing.

use std::path::{Path, PathBuf};

use wit_parser::{Interface, PackageId, Resolve, SourceMap, WorldItem, decoding::DecodedWasm};

use super::{error::Error, signature};
use crate::plugin::decode_wit;

/// The host's own package, which every module's WIT refers to.
pub(super) const HOST: [(&str, &str); 13] = [
    ("clock.wit", include_str!("../../wit/clock.wit")),
    ("command.wit", include_str!("../../wit/command.wit")),
    ("config.wit", include_str!("../../wit/config.wit")),
    ("facts.wit", include_str!("../../wit/facts.wit")),
    ("files.wit", include_str!("../../wit/files.wit")),
    ("job.wit", include_str!("../../wit/job.wit")),
    ("module.wit", include_str!("../../wit/module.wit")),
    ("network.wit", include_str!("../../wit/network.wit")),
    ("processes.wit", include_str!("../../wit/processes.wit")),
    ("services.wit", include_str!("../../wit/services.wit")),
    ("state.wit", include_str!("../../wit/state.wit")),
    ("types.wit", include_str!("../../wit/types.wit")),
    ("values.wit", include_str!("../../wit/values.wit")),
];

/// The WIT package of one module.
pub(super) struct WitPackage {
    resolve: Resolve,
    package: PackageId,
    folder: PathBuf,
}

impl WitPackage {
    /// Reads a folder of WIT files, with what they depend on in its `deps`.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let unreadable =
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Wit { path: folder.to_owned(), source };
        let mut resolve = Resolve::default();
        let mut host = SourceMap::new();
        for (name, text) in HOST {
            host.push_str(&format!("minion:host/{name}"), text);
        }
        let host = host.parse().map_err(|(_, error)| unreadable(error.to_string().into()))?;
        resolve.push_group(host).map_err(|error| unreadable(error.to_string().into()))?;
        let (package, _) = match resolve.push_path(folder) {
            Ok(read) => read,
            Err(error) => return Err(unreadable(resolve.render_error(&error).into())),
        };
        Ok(Self { resolve, package, folder: folder.to_owned() })
    }

    /// The package that a component's section holds.
    pub(super) fn decode(section: &[u8]) -> Result<Self, Error> {
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| Error::Wit { path: "".into(), source };
        match decode_wit(section) {
            Ok(DecodedWasm::WitPackage(resolve, package)) => Ok(Self { resolve, package, folder: PathBuf::new() }),
            Ok(DecodedWasm::Component(..)) => Err(unreadable("it is a component".into())),
            Err(error) => Err(unreadable(error.into())),
        }
    }

    /// The package with its documentation, as the section holds it.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Error> {
        wit_component::encode(&self.resolve, self.package)
            .map_err(|error| Error::Wit { path: self.folder.clone(), source: error.into() })
    }

    /// Makes sure that the component exports interfaces of this package, and that its functions are those of the WIT.
    pub(super) fn check(&self, module: &str, component: &[u8]) -> Result<(), Error> {
        let not_a_component = |source| Error::NotAComponent { module: module.to_owned(), source };
        if !wasmparser::Parser::is_component(component) {
            return Err(not_a_component("it lacks the head of one".into()));
        }
        let decoded = decode_wit(component).map_err(|error| not_a_component(error.into()))?;
        let DecodedWasm::Component(compiled, world) = decoded else {
            return Err(not_a_component("it is a WIT package".into()));
        };
        let disagree = |what| Error::Disagree { module: module.to_owned(), what };
        let name = &self.resolve.packages[self.package].name;
        let mut exported = 0;
        for item in compiled.worlds[world].exports.values() {
            let WorldItem::Interface { id, .. } = item else { continue };
            let interface = &compiled.interfaces[*id];
            if interface.package.is_none_or(|package| compiled.packages[package].name != *name) {
                continue;
            }
            exported += 1;
            let interface_name = interface.name.as_deref().unwrap_or_default();
            let documented = self.resolve.packages[self.package].interfaces.get(interface_name);
            let documented = documented.map(|id| &self.resolve.interfaces[*id]);
            let documented =
                documented.ok_or_else(|| disagree(format!("the WIT has no interface `{interface_name}`")))?;
            compare((&compiled, interface), (&self.resolve, documented)).map_err(disagree)?;
        }
        if exported == 0 {
            return Err(disagree(format!("nothing of the package `{name}` is exported")));
        }
        Ok(())
    }
}

/// Both must have the same functions. Types that no function uses are not in a component.
fn compare(compiled: (&Resolve, &Interface), documented: (&Resolve, &Interface)) -> Result<(), String> {
    let name = documented.1.name.as_deref().unwrap_or_default();
    for (function, one) in &compiled.1.functions {
        let Some(other) = documented.1.functions.get(function) else {
            return Err(format!("`{name}.{function}` is not in the WIT"));
        };
        let (one, other) = (signature::of_function(compiled.0, one), signature::of_function(documented.0, other));
        if one != other {
            return Err(format!("`{name}.{function}` was compiled as `{one}` and is documented as `{other}`"));
        }
    }
    match documented.1.functions.keys().find(|function| !compiled.1.functions.contains_key(*function)) {
        Some(function) => Err(format!("`{name}.{function}` was not compiled")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const WIT: &str = "/// About a.
        package t:a@1.0.0;
        /// About i.
        interface i {
          use minion:host/types@0.1.0.{error};
          /// About f.
          f: func(x: u32) -> u32;
        }
        world module { export i; }";

    fn package(wit: &str) -> Result<WitPackage, Error> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.wit"), wit).unwrap();
        WitPackage::read(folder.path())
    }

    /// A component that exports the interface of [`WIT`].
    fn component() -> Vec<u8> {
        let text = r#"(component
            (core module $m (func (export "f") (param i32) (result i32) unreachable))
            (core instance $m (instantiate $m))
            (func $f (param "x" u32) (result u32) (canon lift (core func $m "f")))
            (instance (export "t:a/i@1.0.0") (export "f" (func $f))))"#;
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn the_documentation_comes_back_out_of_the_encoded_package() {
        let encoded = package(WIT).unwrap().encode().unwrap();
        let DecodedWasm::WitPackage(resolve, id) = decode_wit(&encoded).unwrap() else { panic!("no package") };
        assert_eq!(resolve.packages[id].docs.contents.as_deref(), Some("About a."));
        let interface = &resolve.interfaces[resolve.packages[id].interfaces["i"]];
        assert_eq!(interface.docs.contents.as_deref(), Some("About i."));
        assert_eq!(interface.functions["f"].docs.contents.as_deref(), Some("About f."));
    }

    #[test]
    fn a_component_agrees_with_the_wit_it_was_made_from() {
        package(WIT).unwrap().check("a", &component()).unwrap();
    }

    #[test]
    fn what_was_compiled_otherwise_is_named() {
        let disagreement = |wit: &str| match package(wit).unwrap().check("a", &component()) {
            Err(Error::Disagree { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        assert!(
            disagreement(&WIT.replace("x: u32", "x: u64"))
                .contains("`(x: u32) -> u32` and is documented as `(x: u64) -> u32`")
        );
        assert_eq!(disagreement(&WIT.replace("f: func", "g: func")), "`i.f` is not in the WIT");
        assert_eq!(disagreement(&WIT.replace("t:a", "t:b")), "nothing of the package `t:b@1.0.0` is exported");
        let more = WIT.replace("/// About f.", "g: func();");
        assert_eq!(disagreement(&more), "`i.g` was not compiled");
    }

    #[test]
    fn other_binaries_are_no_components() {
        for bytes in [&b""[..], b"\0asm\x01\0\0\0", &package(WIT).unwrap().encode().unwrap()] {
            let refused = package(WIT).unwrap().check("a", bytes);
            assert!(matches!(refused, Err(Error::NotAComponent { .. })), "{refused:?}");
        }
    }

    #[test]
    fn an_error_in_the_wit_names_its_place() {
        let Err(Error::Wit { source, .. }) = package("package t:a;\ninterface i { f: fun(); }") else {
            panic!("accepted")
        };
        assert!(source.to_string().contains("a.wit:2"), "{source}");
    }

    #[test]
    fn every_file_of_the_host_package_is_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, HOST.map(|(name, _)| std::ffi::OsString::from(name)));
    }
}
