//! A module's crate, wherever it lies, becomes a component; and when it does not, the author is told why and where.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use func::{
    author::{BuildRequest, Built, Error, Progress, Quiet, Step, build, build_if_changed},
    plugin::{Engine, Metadata, Plugin},
};
use tempfile::TempDir;

use crate::harness::shipped_modules;

/// What teaches people to write a module. Its code blocks are the crate that is built here.
const GUIDE: &str = include_str!("../plugins/README.md");

/// The first code block of a language in the guide.
fn block(language: &str) -> &'static str {
    let (_, rest) = GUIDE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// A crate far from this checkout, as an author elsewhere has it.
struct Crate(TempDir);

impl Crate {
    /// The name is the test's own: cargo takes crates of one name in one target folder for the same.
    fn new(name: &str, wit: &str, code: &str) -> Self {
        // Shares its dependencies with the shipped modules, so that they are compiled once.
        shipped_modules();
        let folder = Self(tempfile::tempdir().unwrap());
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
        let sdk = plugins.join("sdk").display().to_string();
        let manifest = block("toml").replace("vendor/func-sdk", &sdk).replace("fortune", name);
        folder.write("Cargo.toml", &manifest);
        folder
            .write(".cargo/config.toml", &format!("[build]\ntarget-dir = \"{}\"\n", plugins.join("target").display()));
        fs::copy(plugins.join("Cargo.lock"), folder.path("Cargo.lock")).unwrap();
        folder.write("wit/fortune.wit", wit);
        folder.write("src/lib.rs", code);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn request(&self) -> BuildRequest {
        BuildRequest { crate_dir: self.path("."), out_dir: self.path("out"), toolchain: None }
    }

    fn build(&self) -> Result<Built, Error> {
        build(&self.request(), &Quiet).map(|mut built| built.remove(0))
    }
}

#[test]
fn what_cargo_toml_and_the_wit_say_travels_along() {
    let fortune = Crate::new("fortune", block("wit"), block("rust"));
    let built = fortune.build().unwrap();
    assert_eq!((built.name.as_str(), built.version.as_str()), ("fortune", "0.1.0"));
    assert_eq!(built.path, fortune.path("out").join("fortune.wasm"));
    let bytes = fs::read(&built.path).unwrap();
    let metadata = Metadata::read(&bytes);
    assert_eq!(metadata.name.as_deref(), Some("fortune"));
    assert_eq!(metadata.version.as_deref(), Some("0.1.0"));
    assert_eq!(metadata.description.as_deref(), Some("Tells fortunes"));
    let asks = metadata.manifest.unwrap().asks;
    assert_eq!(asks.read[0].as_str(), "/proc/sys/kernel/hostname");
    assert!(asks.run.is_empty() && asks.write.is_empty());
    let plugin = Plugin::compile(&Engine::serving().unwrap(), &bytes).unwrap();
    let method = &plugin.modules()[0].methods["tell"];
    assert!(method.doc.starts_with("Tells the fortune of a host."), "{}", method.doc);
    assert_eq!(method.params[0].doc, "how good it shall be, from 0 to 10.");
}

#[test]
fn the_compilers_errors_are_shown_whole() {
    let error =
        Crate::new("faulty", block("wit"), &block("rust").replace("luck: u32", "luck: String")).build().unwrap_err();
    let Error::Compile { output, .. } = &error else { panic!("{error}") };
    for part in ["error[E0053]", "--> src/lib.rs:9:", "expected `u32`, found `String`"] {
        assert!(output.contains(part), "{part} is not in {output}");
    }
}

#[test]
fn an_error_in_the_wit_names_file_and_line() {
    let error =
        Crate::new("misspelt", &block("wit").replace("tell: func", "tell: fun"), block("rust")).build().unwrap_err();
    let Error::Wit { source, .. } = &error else { panic!("{error}") };
    let why = format!("{source:#}");
    assert!(why.contains("fortune.wit:13"), "{error}: {why}");
}

#[test]
fn a_crate_that_makes_no_module_is_told_what_it_lacks() {
    let fortune = Crate::new("no-module", block("wit"), block("rust"));
    let manifest = fs::read_to_string(fortune.path("Cargo.toml")).unwrap();
    fortune.write("Cargo.toml", &manifest.replace("cdylib", "rlib"));
    let error = fortune.build().unwrap_err();
    assert!(matches!(error, Error::NoModules { .. }) && error.to_string().contains("cdylib"), "{error}");
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let request = BuildRequest { crate_dir: "/no/such/folder".into(), out_dir: "/no/such/out".into(), toolchain: None };
    let error = build(&request, &Quiet).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}

#[test]
fn a_failed_build_leaves_the_old_component_alone() {
    let fortune = Crate::new("failing", block("wit"), block("rust"));
    let built = fortune.build().unwrap();
    fortune.write("src/lib.rs", "this is no Rust");
    fortune.build().unwrap_err();
    assert_eq!(func::ids::Digest::of(&fs::read(&built.path).unwrap()), built.digest);
}

#[test]
fn only_a_change_is_built_again() {
    #[derive(Default)]
    struct Steps(Mutex<Vec<Step>>);
    impl Progress for Steps {
        fn step(&self, step: &Step) {
            self.0.lock().unwrap().push(step.clone());
        }
    }
    let fortune = Crate::new("changing", block("wit"), block("rust"));
    let builds = || {
        let steps = Steps::default();
        let mut built = build_if_changed(&fortune.request(), &[], &steps).unwrap();
        let compiled = steps.0.lock().unwrap().iter().any(|step| matches!(step, Step::Compile { .. }));
        (built.remove(0).digest, compiled)
    };
    let (first, compiled) = builds();
    assert!(compiled);
    assert_eq!(builds(), (first, false));
    fortune.write("src/lib.rs", &block("rust").replace("sunny", "rainy"));
    let (second, compiled) = builds();
    assert!(compiled && second != first);
}

#[test]
fn asks_that_nobody_could_grant_are_refused_with_their_place() {
    let fortune = Crate::new("asking", block("wit"), block("rust"));
    let manifest = fs::read_to_string(fortune.path("Cargo.toml")).unwrap();
    fortune.write("Cargo.toml", &manifest.replace("\"/proc/sys", "\"proc/sys"));
    let error = fortune.build().unwrap_err();
    let Error::Manifest { path, source } = &error else { panic!("{error}") };
    assert!(path.ends_with("Cargo.toml") && source.to_string().contains("a path begins with `/`"), "{source}");
    fortune.write("Cargo.toml", &manifest.replace("read = [\"/proc", "reed = [\"/proc"));
    assert!(fortune.build().unwrap_err().to_string().contains("package.metadata.func"));
}
