//! Files and modules get to hosts that are reached through others, and files come back.

use std::fs;

use crate::harness::{Fleet, SUB_OVERLORD, guest};

#[test]
fn files_and_modules_get_to_hosts_behind_others_and_back() {
    let mut fleet = Fleet::empty();
    let place = fleet.folder().join("place");
    fs::create_dir(&place).unwrap();
    let grants = format!(
        "push = true\n[grants.copyfile]\nwrite = [\"{0}/**\"]\n[grants.getfile]\nread = [\"{0}/**\"]\n",
        place.display()
    );
    fleet.add_with("leaf", &format!("[modules]\nunsigned = true\n{grants}"), &[]);
    fleet.add_sub("mid", SUB_OVERLORD);
    fleet.add_sub("top", SUB_OVERLORD);
    fleet.reach(&["top"], &[("top", &["mid"]), ("mid", &["leaf"])]);
    fleet.func(["map", "build"]).expect(0);

    // More than one piece, and nothing at all.
    let local = fleet.folder().join("local");
    fs::create_dir(&local).unwrap();
    let bytes: Vec<u8> = (0..9_000_000_u32).map(|at| u8::try_from(at % 253).unwrap()).collect();
    fs::write(local.join("large"), &bytes).unwrap();
    fs::write(local.join("empty"), "").unwrap();
    let there = format!("leaf:{}/", place.display());
    fleet.func(["copy", local.to_str().unwrap(), &there, "--json"]).expect(0);
    assert!(fs::read(place.join("local/large")).unwrap() == bytes);
    assert_eq!(fs::read(place.join("local/empty")).unwrap(), b"");
    let back = fleet.folder().join("back");
    let there = format!("leaf:{}/local", place.display());
    fleet.func(["fetch", &there, back.to_str().unwrap(), "--json"]).expect(0);
    assert!(fs::read(back.join("leaf/local/large")).unwrap() == bytes);
    assert_eq!(fs::read(back.join("leaf/local/empty")).unwrap(), b"");

    fleet.func(["module", "push", guest("rogue").to_str().unwrap(), "leaf"]).expect(0);
    assert_eq!(fleet.func(["call", "leaf", "rogue.text", "3", "--json"]).expect(0).json()["summary"]["ok"], 1);
}
