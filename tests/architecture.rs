//! The source tree keeps its own promises: layers point one way, every file says what it is for,
//! and `unsafe` stays in its one place.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

struct Source {
    path: PathBuf,
    text: String,
    /// The index of its module in the order of `src/lib.rs`.
    layer: usize,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The modules in the order of `src/lib.rs`, which is the order of the layers.
fn layers() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = text.lines().filter_map(|line| Some(line.strip_suffix(';')?.rsplit_once("mod ")?.1.to_owned()));
    modules.collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let layers = layers();
    let src = root().join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    let sources: Vec<Source> = files
        .into_iter()
        .filter_map(|path| {
            let top = path.strip_prefix(&src).unwrap().components().next()?.as_os_str().to_str()?.to_owned();
            let layer = layers.iter().position(|layer| *layer == top.trim_end_matches(".rs"))?;
            let text = fs::read_to_string(&path).unwrap();
            Some(Source { path, text, layer })
        })
        .collect();
    assert!(sources.len() > layers.len(), "the walk found almost nothing: {} files", sources.len());
    sources
}

/// The top-level modules that `text` names behind `crate::`, in plain paths and in `use crate::{a, b::c}`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let identifier = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            used.insert(identifier(rest));
            continue;
        };
        let mut depth = 0;
        let mut at_start = true;
        for (index, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if depth == 0 && at_start && !c.is_whitespace() => {
                    used.insert(identifier(&group[index..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    used
}

#[test]
fn a_module_uses_only_the_layers_above_it_in_the_list() {
    let layers = layers();
    let mut wrong = Vec::new();
    for source in sources() {
        for name in used_modules(&source.text) {
            if layers.iter().position(|layer| *layer == name).is_some_and(|used| used > source.layer) {
                wrong.push(format!("{}: uses crate::{name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these use a module that stands below them in src/lib.rs:\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_groups_and_nesting() {
    let text =
        "use crate::{ids::{A, B},\n wire, jobs::x};\nuse crate::tls::Peer;\n// crate::cli\nfn f() { crate::sys::g() }";
    let used: Vec<String> = used_modules(text).into_iter().collect();
    assert_eq!(used, ["ids", "jobs", "sys", "tls", "wire"]);
}

#[test]
fn every_file_opens_with_its_purpose() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{}: no `//!` line", source.path.display());
    }
}

#[test]
fn unsafe_stays_in_sys() {
    for source in sources() {
        let fenced = source.path.starts_with(root().join("src/sys"));
        let code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = code.filter(|line| line.contains("unsafe ") || line.contains("unsafe{")).count();
        assert!(fenced || found == 0, "{}: unsafe outside src/sys", source.path.display());
    }
}

#[test]
fn only_one_place_names_the_store_s_engine() {
    for source in sources() {
        let at_home = source.path.starts_with(root().join("src/store"));
        assert!(at_home || !source.text.contains("sled::"), "{}: sled outside src/store", source.path.display());
    }
}

#[test]
fn no_file_has_a_name_that_means_nothing() {
    for source in sources() {
        let stem = source.path.file_stem().unwrap().to_str().unwrap();
        let vague = ["utils", "util", "helpers", "helper", "common", "misc", "types"];
        assert!(!vague.contains(&stem), "{}: say what is in it", source.path.display());
    }
}

#[test]
fn the_sdk_that_projects_get_has_every_file() {
    let sdk = root().join("plugins/sdk");
    let list = fs::read_to_string(root().join("src/author/sdk.rs")).unwrap();
    let mut files = Vec::new();
    walk(&sdk, &mut files);
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        let name = file.strip_prefix(&sdk).unwrap().display().to_string();
        assert!(
            list.contains(&format!("\"{name}\"")),
            "src/author/sdk.rs lacks `{name}`: `func module new` leaves it out"
        );
    }
}

#[test]
fn what_the_modules_ask_for_is_what_is_recommended() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap().parse::<toml::Table>().unwrap();
    let grants = read("plugins/grants.toml");
    let grants = grants["grants"].as_table().unwrap();
    for (module, granted) in grants {
        let manifest = read(&format!("plugins/{module}/Cargo.toml"));
        let asks = manifest["package"].get("metadata").and_then(|tables| tables.get("func")?.get("asks"));
        assert_eq!(asks, Some(granted), "[package.metadata.func.asks] of plugins/{module}, and plugins/grants.toml");
    }
}
