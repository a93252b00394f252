//! A folder of plugins and what becomes of it.

use std::{fs, path::Path, sync::Mutex};

use super::*;
use crate::{
    plugin::{
        LoadEvent as E,
        fixture::{call, component, context, engine},
    },
    wire::Value,
};

#[derive(Default)]
struct Seen(Mutex<Vec<LoadEvent>>);

impl LoadSink for Seen {
    fn event(&self, event: LoadEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Seen {
    fn take(&self) -> Vec<LoadEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A plugin whose module has one method, which answers `number`.
fn answering(interface: &str, method: &str, number: u32) -> Vec<u8> {
    component(
        interface,
        &format!(r#"(func (export "f") (result i32) (i32.const {number}))"#),
        &format!(r#"(func ${method} (result u32) (canon lift (core func $i "f")))"#),
        &[method],
    )
}

async fn open(folder: &Path, sink: Arc<dyn LoadSink>) -> Registry {
    open_trusting(folder, sink, Signers::anybody()).await
}

async fn open_trusting(folder: &Path, sink: Arc<dyn LoadSink>, signers: Signers) -> Registry {
    let mut config = RegistryConfig::new(folder.join("plugins"), folder.join("cache"));
    config.reserved = vec!["system".parse().unwrap()];
    config.signers = signers;
    config.quiet = Duration::from_millis(20);
    config.keep_code = Duration::ZERO;
    Registry::open(config, engine().clone(), sink).await.unwrap()
}

async fn answer(registry: &Registry, method: &str) -> Value {
    let catalog = registry.catalog();
    let plugin = catalog.resolve(&method.parse().unwrap()).unwrap().plugin.clone();
    call(&plugin, method, &[], context()).await.unwrap()
}

/// Writes as a careful tool does: a reader sees the old file or the new.
fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let hidden = folder.join("plugins").join(format!(".{name}.tmp"));
    fs::write(&hidden, bytes).unwrap();
    fs::rename(hidden, folder.join("plugins").join(name)).unwrap();
}

#[tokio::test]
async fn a_file_that_is_dropped_replaced_and_removed_is_followed_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut registry = open(folder.path(), Arc::new(NoSink)).await;
    put(folder.path(), "a.wasm", &answering("t:a/one", "f", 1));
    registry.changed().await;
    assert_eq!(answer(&registry, "one.f").await, Value::Int(1));

    let old = registry.catalog().served()[0].plugin.clone();
    put(folder.path(), "a.wasm", &answering("t:a/one", "f", 2));
    registry.changed().await;
    assert_eq!(answer(&registry, "one.f").await, Value::Int(2));
    assert_eq!(call(&old, "one.f", &[], context()).await, Ok(Value::Int(1)), "a call in flight keeps its version");

    fs::remove_file(folder.path().join("plugins/a.wasm")).unwrap();
    registry.changed().await;
    assert!(registry.catalog().served().is_empty());
}

#[tokio::test]
async fn the_same_bytes_again_are_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let registry = open(folder.path(), Arc::clone(&seen) as _).await;
    put(folder.path(), "a.wasm", &answering("t:a/one", "f", 1));
    registry.rescan().await;
    assert!(matches!(&seen.take()[..], [E::Loaded { modules, .. }] if modules[0].as_str() == "one"));
    let before = registry.catalog();
    put(folder.path(), "a.wasm", &answering("t:a/one", "f", 1));
    registry.rescan().await;
    assert!(seen.take().is_empty());
    assert!(Arc::ptr_eq(&before, &registry.catalog()));
}

#[tokio::test]
async fn a_broken_file_leaves_the_old_version_serving_and_shows_why() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let registry = open(folder.path(), Arc::clone(&seen) as _).await;
    let whole = answering("t:a/one", "f", 1);
    put(folder.path(), "a.wasm", &whole);
    registry.rescan().await;
    let foreign = wat::parse_str(
        r#"(component
            (import "t:other/things@1.0.0" (instance (export "frob" (func)) (export "grob" (func (result u32)))))
            (import "minion:host/job@0.1.0" (instance (export "fly" (func)) (export "id" (func (result string)))))
            (import "wasi:random/random@0.2.3" (instance (export "get-random-u64" (func (result u64))) (export "dice" (func)))))"#,
    )
    .unwrap();
    let core = wat::parse_str("(module)").unwrap();
    let missing = "t:other/things@1.0.0#frob, t:other/things@1.0.0#grob, minion:host/job@0.1.0#fly, \
                   wasi:random/random@0.2.3#dice";
    let accidents: [(&[u8], &str); 6] = [
        (b"", "the file is empty"),
        (b"#!/bin/sh\n", "not WebAssembly"),
        (&whole[..whole.len() / 2], "damaged or cut short"),
        (&core, "a core module, not a component"),
        (&foreign, missing),
        (&wat::parse_str("(component)").unwrap(), "no module"),
    ];
    for (bytes, message) in accidents {
        put(folder.path(), "a.wasm", bytes);
        registry.rescan().await;
        let catalog = registry.catalog();
        let [failure] = catalog.failures() else { panic!("{message}: {catalog:?}") };
        assert!(failure.why.error().contains(message), "{failure:?}");
        assert!(failure.still_serving && failure.file.ends_with("a.wasm"));
        assert_eq!(answer(&registry, "one.f").await, Value::Int(1));
        assert!(matches!(seen.take().last(), Some(E::NotServed { still_serving: true, .. })));
    }
    put(folder.path(), "a.wasm", &answering("t:a/one", "f", 7));
    registry.rescan().await;
    assert!(registry.catalog().failures().is_empty());
    assert_eq!(answer(&registry, "one.f").await, Value::Int(7));
    put(folder.path(), "a.wasm", b"");
    registry.rescan().await;
    put(folder.path(), "a.wasm", &answering("t:a/one", "f", 7));
    registry.rescan().await;
    assert!(registry.catalog().failures().is_empty(), "the old bytes again make the failure go away");
}

#[tokio::test]
async fn of_two_plugins_that_claim_a_name_the_second_is_refused_until_the_first_goes() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), Arc::new(NoSink)).await;
    put(folder.path(), "b.wasm", &answering("t:b/one", "f", 1));
    registry.rescan().await;
    put(folder.path(), "a.wasm", &answering("t:a/one", "f", 2));
    put(folder.path(), "s.wasm", &answering("t:s/system", "f", 3));
    registry.rescan().await;
    let catalog = registry.catalog();
    let errors: Vec<_> = catalog.failures().iter().map(|failure| failure.why.error()).collect();
    assert!(errors[0].contains("b.wasm") && errors[0].contains("a.wasm") && errors[0].contains("`one`"), "{errors:?}");
    assert!(errors[1].contains("`system` belongs to the minion"), "{errors:?}");
    assert_eq!(answer(&registry, "one.f").await, Value::Int(1));
    fs::remove_file(folder.path().join("plugins/b.wasm")).unwrap();
    registry.rescan().await;
    assert_eq!(answer(&registry, "t:a/one.f").await, Value::Int(2));
}

#[tokio::test]
async fn names_that_lead_nowhere_say_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), Arc::new(NoSink)).await;
    put(folder.path(), "a.wasm", &answering("t:a/one", "count-all", 1));
    registry.rescan().await;
    let catalog = registry.catalog();
    let unknown = |name: &str| catalog.resolve(&name.parse().unwrap()).unwrap_err().to_string();
    assert_eq!(unknown("ones.f"), "there is no module `ones`; did you mean `one`?");
    assert_eq!(unknown("one.count_al"), "the module `one` has no method `count_al`; did you mean `count_all`?");
    assert_eq!(unknown("other.f"), "there is no module `other`");
}

#[tokio::test]
async fn compiled_code_is_kept_while_somebody_may_want_it() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), Arc::new(NoSink)).await;
    let (one, two) = (answering("t:a/one", "f", 1), answering("t:a/one", "f", 2));
    for bytes in [&one, &two] {
        put(folder.path(), "a.wasm", bytes);
        registry.rescan().await;
    }
    let (one, two) = (Digest::of(&one), Digest::of(&two));
    assert_eq!(registry.collect([one].into()).await, 0);
    let compiled = registry.compiled_path(&one).unwrap();
    let worker = crate::plugin::Plugin::load_compiled(&crate::plugin::Engine::forking().unwrap(), &compiled).unwrap();
    assert_eq!(worker.digest(), one);
    assert_eq!(registry.collect(BTreeSet::new()).await, 1);
    assert!(registry.compiled_path(&one).is_none() && registry.compiled_path(&two).is_some());
}

#[tokio::test]
async fn a_damaged_cache_costs_a_compilation_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = answering("t:a/one", "f", 5);
    let registry = open(folder.path(), Arc::new(NoSink)).await;
    put(folder.path(), "a.wasm", &bytes);
    registry.rescan().await;
    let compiled = registry.compiled_path(&Digest::of(&bytes)).unwrap();
    drop(registry);
    for damage in [&b""[..], b"junk", &fs::read(&compiled).unwrap()[..1000]] {
        fs::remove_file(&compiled).unwrap();
        fs::write(&compiled, damage).unwrap();
        let registry = open(folder.path(), Arc::new(NoSink)).await;
        assert_eq!(answer(&registry, "one.f").await, Value::Int(5));
        assert!(fs::metadata(&compiled).unwrap().len() > 1000);
    }
}

#[tokio::test]
async fn code_that_goes_missing_or_bad_while_it_is_served_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = answering("t:a/one", "f", 5);
    let registry = open(folder.path(), Arc::new(NoSink)).await;
    put(folder.path(), "a.wasm", &bytes);
    registry.rescan().await;
    let digest = Digest::of(&bytes);
    let compiled = registry.compiled_path(&digest).unwrap();
    let loads = || crate::plugin::Plugin::load_compiled(&crate::plugin::Engine::forking().unwrap(), &compiled).is_ok();
    fs::remove_file(&compiled).unwrap();
    assert!(!loads());
    registry.renew(digest).await;
    assert!(loads());
    fs::write(folder.path().join("junk"), "junk").unwrap();
    fs::rename(folder.path().join("junk"), &compiled).unwrap();
    assert!(!loads());
    registry.renew(digest).await;
    assert!(loads());
    fs::remove_file(&compiled).unwrap();
    registry.renew(Digest::of(b"another")).await;
    assert!(!loads());
}

mod signed {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::access::{KeyId, Provenance, PublicKey, Signature};

    struct Author(Ed25519KeyPair, KeyId);

    impl Author {
        fn new(seed: u8) -> Self {
            Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), KeyId::from([seed; 8]))
        }

        fn key(&self) -> PublicKey {
            PublicKey::new(self.1, self.0.public_key().as_ref().try_into().unwrap())
        }

        fn trusted(&self) -> Signers {
            Signers::new(&[("ops".to_owned().try_into().unwrap(), self.key())].into(), [], false)
        }

        fn sign(&self, bytes: &[u8]) -> Vec<u8> {
            let sign = |message: &[u8]| self.0.sign(message).as_ref().try_into().unwrap();
            Signature::make(self.1, bytes, "a test", sign).to_string().into_bytes()
        }
    }

    #[track_caller]
    fn why(registry: &Registry) -> NotServed {
        let catalog = registry.catalog();
        let [failure] = catalog.failures() else { panic!("{catalog:?}") };
        failure.why.clone()
    }

    fn serves(registry: &Registry) -> bool {
        !registry.catalog().served().is_empty()
    }

    #[tokio::test]
    async fn a_module_and_its_signature_arrive_in_any_order() {
        let author = Author::new(1);
        let one = answering("t:a/one", "f", 1);
        for order in [["a.wasm", "a.wasm.minisig"], ["a.wasm.minisig", "a.wasm"]] {
            let folder = tempfile::tempdir().unwrap();
            let mut registry = open_trusting(folder.path(), Arc::new(NoSink), author.trusted()).await;
            let contents = |name: &str| if name == "a.wasm" { one.clone() } else { author.sign(&one) };
            put(folder.path(), order[0], &contents(order[0]));
            registry.rescan().await;
            assert!(!serves(&registry));
            if order[0] == "a.wasm" {
                assert!(matches!(why(&registry), NotServed::Unsigned { .. }));
            }
            // Nobody asks for it this time: the second file's arrival is noticed.
            put(folder.path(), order[1], &contents(order[1]));
            let served = async {
                while !serves(&registry) {
                    registry.changed().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), served).await.unwrap();
            assert_eq!(answer(&registry, "one.f").await, Value::Int(1));
            assert!(registry.catalog().failures().is_empty());
            let signer = registry.catalog().served()[0].provenance.name().unwrap().to_string();
            assert_eq!(signer, "ops");
        }
    }

    #[tokio::test]
    async fn a_changed_version_waits_for_its_own_signature_while_the_old_one_serves() {
        let author = Author::new(1);
        let folder = tempfile::tempdir().unwrap();
        let registry = open_trusting(folder.path(), Arc::new(NoSink), author.trusted()).await;
        let (one, two) = (answering("t:a/one", "f", 1), answering("t:a/one", "f", 2));
        put(folder.path(), "a.wasm", &one);
        put(folder.path(), "a.wasm.minisig", &author.sign(&one));
        registry.rescan().await;
        assert!(serves(&registry));

        put(folder.path(), "a.wasm", &two);
        registry.rescan().await;
        assert!(why(&registry).error().contains("0101010101010101"), "{:?}", why(&registry));
        assert_eq!(answer(&registry, "one.f").await, Value::Int(1));
        put(folder.path(), "a.wasm.minisig", &author.sign(&two));
        registry.rescan().await;
        assert_eq!(answer(&registry, "one.f").await, Value::Int(2));

        put(folder.path(), "a.wasm.minisig", &author.sign(&one));
        registry.rescan().await;
        assert!(registry.catalog().failures()[0].still_serving);
        put(folder.path(), "a.wasm", &one);
        registry.rescan().await;
        assert_eq!(answer(&registry, "one.f").await, Value::Int(1));
    }

    #[tokio::test]
    async fn tampered_files_and_strangers_are_refused_with_a_reason() {
        let (author, stranger) = (Author::new(1), Author::new(2));
        let folder = tempfile::tempdir().unwrap();
        let registry = open_trusting(folder.path(), Arc::new(NoSink), author.trusted()).await;
        let one = answering("t:a/one", "f", 1);
        let mut tampered_signature = author.sign(&one);
        let at = tampered_signature.len() / 2;
        tampered_signature[at] ^= 1;
        let cases: [(Vec<u8>, Vec<u8>, &str); 5] = [
            (answering("t:a/one", "f", 9), author.sign(&one), "is not of these bytes"),
            (one.clone(), tampered_signature, ""),
            (one.clone(), stranger.sign(&one), "the key 0202020202020202, which is not trusted here"),
            (one.clone(), author.sign(b"another file"), "is not of these bytes"),
            (one.clone(), b"\xff\xfe".to_vec(), "signature"),
        ];
        for (bytes, signature, reason) in cases {
            put(folder.path(), "a.wasm", &bytes);
            put(folder.path(), "a.wasm.minisig", &signature);
            registry.rescan().await;
            let why = why(&registry);
            assert!(!serves(&registry) && why.error().contains(reason) && why.error().contains("a.wasm"), "{why:?}");
        }
        // Nothing of it was ever compiled.
        assert_eq!(fs::read_dir(folder.path().join("cache")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn trust_is_given_and_withdrawn_while_the_minion_runs() {
        let author = Author::new(1);
        let folder = tempfile::tempdir().unwrap();
        let registry = open_trusting(folder.path(), Arc::new(NoSink), Signers::default()).await;
        let one = answering("t:a/one", "f", 1);
        put(folder.path(), "a.wasm", &one);
        put(folder.path(), "a.wasm.minisig", &author.sign(&one));
        registry.rescan().await;
        assert!(!serves(&registry));
        registry.decide(author.trusted(), Grants::default()).await;
        assert_eq!(answer(&registry, "one.f").await, Value::Int(1));
        registry.decide(Signers::default(), Grants::default()).await;
        assert!(!serves(&registry) && why(&registry).error().contains("not trusted here"));
        registry.decide(Signers::anybody(), Grants::default()).await;
        assert_eq!(registry.catalog().served()[0].provenance, Provenance::Unsigned);
    }
}

/// A plugin that answers `number` and asks for these grants.
fn asking(number: u32, asks: &str) -> Vec<u8> {
    let mut bytes = answering("t:a/one", "f", number);
    let manifest = format!(r#"{{"asks":{asks}}}"#);
    let section =
        wasm_encoder::CustomSection { name: crate::plugin::MANIFEST_SECTION.into(), data: manifest.as_bytes().into() };
    wasm_encoder::ComponentSection::append_to_component(&section, &mut bytes);
    bytes
}

#[tokio::test]
async fn a_new_version_that_asks_for_more_is_held_until_it_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let registry = open(folder.path(), Arc::clone(&seen) as _).await;
    let grants = |text: &str| toml::from_str::<Grants>(text).unwrap();
    put(folder.path(), "a.wasm", &asking(1, r#"{"read":["/etc/hosts"]}"#));
    registry.rescan().await;
    assert_eq!(answer(&registry, "one.f").await, Value::Int(1), "a first version has no old one to serve");
    seen.take();

    put(folder.path(), "a.wasm", &asking(2, r#"{"read":["/etc/hosts","/etc/passwd"],"run":["df"]}"#));
    registry.rescan().await;
    registry.rescan().await;
    assert_eq!(answer(&registry, "one.f").await, Value::Int(1));
    let catalog = registry.catalog();
    let NotServed::Held { asks, .. } = &catalog.failures()[0].why else { panic!("{catalog:?}") };
    let lines = [r#"run = ["df"]"#, r#"read = ["/etc/hosts"]"#, r#"read = ["/etc/passwd"]"#];
    assert_eq!(*asks, lines.map(|line| format!("[grants.one]\n{line}")));
    assert!(matches!(&seen.take()[..], [E::NotServed { still_serving: true, .. }]), "said once");

    registry.decide(Signers::anybody(), grants("[one]\nread = [\"/etc/**\"]")).await;
    assert_eq!(answer(&registry, "one.f").await, Value::Int(1), "not all of it");
    registry.decide(Signers::anybody(), grants("[one]\nread = [\"/etc/**\"]\nrun = [\"df\"]")).await;
    assert_eq!(answer(&registry, "one.f").await, Value::Int(2));
    assert!(registry.catalog().failures().is_empty());

    put(folder.path(), "a.wasm", &asking(3, r#"{"write":["/etc/hosts"]}"#));
    registry.rescan().await;
    put(folder.path(), "a.wasm", &asking(4, r#"{"run":["df"]}"#));
    registry.rescan().await;
    assert_eq!(answer(&registry, "one.f").await, Value::Int(4), "what asks for less does not wait");
}
