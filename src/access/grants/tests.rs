//! What grants cover, and what they do not.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::*;

fn of(grants: &Grants, short: &str, full: &str) -> Grant {
    grants.for_module(&short.parse().unwrap(), &full.parse().unwrap())
}

fn grants(text: &str) -> Grants {
    #[derive(Deserialize)]
    struct Config {
        grants: Grants,
    }
    toml::from_str::<Config>(text).unwrap().grants
}

#[expect(clippy::unnecessary_wraps, reason = "stands for a function that looks at the disk")]
fn as_is(path: &Path) -> Option<PathBuf> {
    Some(path.to_owned())
}

#[test]
fn a_grant_written_with_links_covers_what_it_leads_to() {
    let resolve = |path: &Path| {
        Some(match path.to_str()? {
            "/proc/mounts" => "/proc/7/mounts".into(),
            "/bin" => "/usr/bin".into(),
            other => other.into(),
        })
    };
    let leads =
        |grant: &str, path: &str| PathGrant::try_from(grant.to_owned()).unwrap().leads_to(Path::new(path), resolve);
    assert!(leads("/proc/mounts", "/proc/7/mounts") && !leads("/proc/mounts", "/proc/8/mounts"));
    assert!(leads("/bin/*", "/usr/bin/df") && leads("/bin/**", "/usr/bin") && leads("/**", "/usr/bin/df"));
    assert!(!leads("/bin/*", "/usr/sbin/df") && !leads("/bin/a*", "/usr/bin/df"));
}

#[test]
fn nothing_is_granted_by_default() {
    let grant = of(&grants("[grants.disk]\nread = [\"/etc/**\"]"), "process", "func:process/process");
    assert_eq!(grant, Grant::default());
    assert!(!grant.may_read(Path::new("/etc/passwd"), as_is));
}

#[test]
fn short_and_full_names_add_up() {
    let both = grants("[grants.disk]\nread = [\"/a\"]\n[grants.\"acme:disk/disk\"]\nread = [\"/b\"]");
    let grant = of(&both, "disk", "acme:disk/disk");
    assert!(grant.may_read(Path::new("/a"), as_is) && grant.may_read(Path::new("/b"), as_is));
    assert!(!grant.may_write(Path::new("/a"), as_is));
}

#[test]
fn a_star_stays_in_its_folder_and_two_do_not() {
    let covers = |grant: &str, path: &str| PathGrant::try_from(grant.to_owned()).unwrap().covers(Path::new(path));
    assert!(covers("/sys/block/*", "/sys/block/sda"));
    assert!(!covers("/sys/block/*", "/sys/block/sda/size"));
    assert!(covers("/srv/**", "/srv") && covers("/srv/**", "/srv/a/b"));
    assert!(!covers("/srv/**", "/srvx") && !covers("/srv", "/srv/a"));
}

#[test]
fn what_grants_nothing_sensible_is_refused() {
    for text in ["", "etc/passwd", "/srv/../etc/**", "/a/[", "relative/*"] {
        assert!(PathGrant::try_from(text.to_owned()).is_err(), "{text:?}");
    }
    for text in ["", "bin/df", "/bin/../df", "./df"] {
        assert!(CommandGrant::try_from(text.to_owned()).is_err(), "{text:?}");
    }
    let unknown = toml::from_str::<BTreeMap<String, Bound>>("[disk]\nruns = [\"df\"]");
    assert!(unknown.unwrap_err().to_string().contains("runs"));
}

#[test]
fn a_program_is_granted_by_where_it_is() {
    let covers = |grant: &str, location: &str, on_path| {
        let resolve = |path: &Path| Some(PathBuf::from(path.to_str()?.replacen("/bin/", "/usr/bin/", 1)));
        CommandGrant::try_from(grant.to_owned()).unwrap().covers(Path::new(location), on_path, resolve)
    };
    assert!(covers("df", "/usr/bin/df", true));
    assert!(!covers("df", "/tmp/df", false), "a bare name is what the search path says");
    assert!(covers("/bin/df", "/usr/bin/df", true), "through the link in the folder");
    assert!(!covers("/bin/df", "/usr/bin/sh", true));
    assert!(covers("/usr/bin/apt-*", "/usr/bin/apt-get", false) && covers("*", "/usr/bin/df", true));
    assert!(!covers("*", "/tmp/df", false) && covers("/**", "/tmp/df", false));
}

#[test]
fn a_name_that_no_grant_is_for_needs_no_look_at_the_disk() {
    let grant = |text: &str| Grant { run: vec![text.to_owned().try_into().unwrap()], ..Grant::default() };
    let might = |text: &str, name: &str| grant(text).might_run(OsStr::new(name));
    assert!(!Grant::default().might_run(OsStr::new("df")));
    assert!(might("df", "df") && might("d*", "df") && might("/bin/df", "df") && might("/opt/*", "df"));
    assert!(!might("df", "sh") && !might("d*", "sh") && !might("/bin/df", "sh"));
}

#[test]
fn grants_travel_as_they_are_written() {
    let text = "[grants.a]\nrun = [\"df\", { program = \"/opt/*\", read-only = true }]";
    let grant = of(&grants(text), "a", "x:a/a");
    let text = serde_json::to_string(&grant).unwrap();
    assert_eq!(text, r#"{"run":["df",{"program":"/opt/*","read-only":true}],"read":[],"write":[]}"#);
    assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
    assert!(grant.only_reads(Path::new("/opt/x"), false, &[], as_is));
    assert!(!grant.only_reads(Path::new("/usr/bin/df"), true, &[], as_is));
    let wrong = toml::from_str::<Grant>("run = [{ program = \"df\", readonly = true }]").unwrap_err();
    assert!(wrong.to_string().contains("a table with its name"), "{wrong}");
    let narrow =
        of(&grants("[grants.a]\nrun = [\"df\", { program = \"df\", args = [], read-only = true }]"), "a", "x:a/a");
    let reads = |arguments: &[String]| narrow.only_reads(Path::new("/usr/bin/df"), true, arguments, as_is);
    assert!(reads(&[]) && !reads(&["--sync".to_owned()]), "with these arguments only");
}

#[test]
fn grants_come_back_as_they_were_written() {
    let text = r#"[grants.a]
        run = ["df", "/opt/*", { program = "systemctl", args = ["status", "*"] }]
        env = ["LC_ALL"]
        services = ["app@*"]
        network = ["10.0.0.0/8:443"]"#;
    let grant = of(&grants(text), "a", "x:a/a");
    let json = serde_json::to_string(&grant).unwrap();
    assert_eq!(serde_json::from_str::<Grant>(&json).unwrap(), grant);
    assert!(json.contains(r#"{"program":"systemctl","args":["status","*"],"read-only":false}"#), "{json}");
}

#[test]
fn arguments_are_part_of_what_is_granted() {
    let grant = of(
        &grants(
            r#"[grants.a]
        run = [{ program = "systemctl", args = ["status", "*"] }]"#,
        ),
        "a",
        "x:a/a",
    );
    let may = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        grant.may_run_with(Path::new("/usr/bin/systemctl"), true, &arguments, as_is)
    };
    assert!(may(&["status", "nginx"]) && !may(&["stop", "nginx"]) && !may(&["status", "--root=/x"]));
    assert!(grant.may_run(Path::new("/usr/bin/systemctl"), true, as_is));
    for text in [
        "{ program = \"df\", argv = [] }",
        "{ program = \"df\", options = [\"-h\"] }",
        "{ args = [] }",
        "{ program = \"df\", args = [\"**\", \"x\"] }",
        "1",
    ] {
        let text = format!("[disk]\nrun = [{text}]");
        assert!(toml::from_str::<BTreeMap<String, Bound>>(&text).is_err(), "{text}");
    }
}

#[test]
fn a_table_may_hold_for_one_signer_or_one_file_only() {
    let digest = Digest::of(b"this");
    let text = format!(
        "[grants.a]\nsigner = \"ops\"\nread = [\"/a\"]\n[grants.b]\ndigest = \"sha256:{digest}\"\nread = [\"/b\"]"
    );
    let grants = grants(&text);
    let key = "RWShUuMOxxGeyOIF3wnegTvOTS3mVslyp+6Rzde0yG9skoVXswgJr6tB".parse().unwrap();
    let by =
        |name: Option<&str>| Provenance::Signed { key, name: name.map(|name| name.to_owned().try_into().unwrap()) };
    let full: ModuleName = "x:y/z".parse().unwrap();
    let reads = |short: &str, digest, provenance: &Provenance| {
        let short = short.parse().unwrap();
        let bearer = Bearer { short: &short, full: &full, digest: Some(digest), provenance };
        assert_eq!(grants.withheld(bearer).is_empty(), !grants.for_bearer(bearer).read.is_empty());
        grants.for_bearer(bearer).read.len()
    };
    assert_eq!(reads("a", digest, &by(Some("ops"))), 1);
    for provenance in [by(Some("dev")), by(None), Provenance::Unsigned] {
        assert_eq!(reads("a", digest, &provenance), 0);
        assert_eq!(reads("b", digest, &provenance), 1);
        assert_eq!(reads("b", Digest::of(b"other"), &provenance), 0);
    }
    for text in ["digest = \"abc\"", "signer = \"a b\"", "signers = []", "env = [\"A=B\"]", "network = [\"x\"]"] {
        assert!(toml::from_str::<Bound>(text).is_err(), "{text}");
    }
}
