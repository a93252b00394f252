//! A store that cannot be trusted is set aside, and whoever runs a command hears of it.

use std::fs;

use crate::harness::Fleet;

#[test]
fn it_is_set_aside_whole_and_the_next_command_says_so_once() {
    let fleet = Fleet::empty();
    let store = fleet.home().join("store");
    func::store::once(&store, |_| Ok::<_, func::store::Error>(())).0.unwrap();
    fs::write(store.join("data/sled/db"), b"not a database").unwrap();

    let told = fleet.func(["job", "status", "*-test-add-7"]).expect(3);
    assert!(told.err.contains("warning: the store was damaged") && told.err.contains("no job"), "{}", told.err);
    let names = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let aside: Vec<_> = names.filter(|name| name.starts_with("broken-")).collect();
    assert_eq!(aside.len(), 1);
    assert!(told.err.contains(&aside[0]), "{}", told.err);
    assert!(fs::read(store.join(&aside[0]).join("db.as-found")).unwrap() == b"not a database");

    let after = fleet.func(["job", "list"]).expect(0);
    assert_eq!(after.err, "");
}
