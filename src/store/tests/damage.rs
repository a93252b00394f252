//! Every kind of damage: noticed, set aside, told, and never deleted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Counts, act, host, job};
use crate::store::{Error, Opening, Store, once};

const ROWS: u64 = 3_000;

/// A store with rows enough for several megabytes of sled's log.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    for start in (0..ROWS).step_by(300) {
        let fill = move |tables: &mut crate::store::Tables<'_>| {
            (start..start + 300).try_for_each(|n| tables.put::<Counts>(&(job(n), host("web1.example")), &n))
        };
        store.act_blocking::<_, Error, _>(fill).unwrap();
    }
    drop(store);
    dir
}

fn db(dir: &Path) -> PathBuf {
    dir.join("data/sled/db")
}

fn rows(dir: &Path) -> (u64, Opening) {
    let (rows, opening) = act(dir, |tables| tables.all::<Counts>());
    (rows.len() as u64, opening)
}

/// Damages a filled store, and shows that it is set aside whole and that a fresh one works.
fn set_aside_after(damage: impl FnOnce(&Path)) -> String {
    let dir = filled();
    damage(dir.path());
    let (count, opening) = rows(dir.path());
    let aside = opening.set_aside.expect("the damage was not noticed");
    assert_eq!(count, 0);
    assert!(aside.path.exists() && aside.path.file_name().unwrap().to_string_lossy().starts_with("broken-"));
    act(dir.path(), |tables| tables.put::<Counts>(&(job(1), host("a")), &1));
    let (count, opening) = rows(dir.path());
    assert_eq!((count, opening), (1, Opening::default()));
    aside.why
}

fn overwrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_undamaged_store_stays() {
    let dir = filled();
    assert_eq!(rows(dir.path()), (ROWS, Opening::default()));
}

#[test]
fn a_file_cut_short_is_noticed_wherever_the_cut_is() {
    for percent in [0, 1, 30, 60, 90] {
        set_aside_after(|dir| {
            let file = fs::File::options().write(true).open(db(dir)).unwrap();
            file.set_len(file.metadata().unwrap().len() * percent / 100).unwrap();
        });
    }
}

#[test]
fn garbage_all_over_is_noticed() {
    let why = set_aside_after(|dir| overwrite(&db(dir), |bytes| bytes.fill(0xA5)));
    assert!(why.contains("gone"), "{why}");
    set_aside_after(|dir| overwrite(&db(dir), |bytes| bytes.iter_mut().step_by(1000).for_each(|byte| *byte ^= 0x55)));
}

#[test]
fn a_changed_file_is_kept_as_it_was_found() {
    let dir = filled();
    fs::write(db(dir.path()), b"not a database").unwrap();
    let aside = rows(dir.path()).1.set_aside.unwrap().path;
    assert!(fs::read(aside.join("db.as-found")).unwrap() == b"not a database");
    fs::File::options().append(true).open(db(dir.path())).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    assert_eq!(rows(dir.path()), (0, Opening::default()));
    assert!(!dir.path().join("data/db.as-found").exists(), "a sound store was only touched");
}

#[test]
fn a_missing_file_is_not_taken_for_a_new_store() {
    let why = set_aside_after(|dir| fs::remove_file(db(dir)).unwrap());
    assert!(why.contains("missing"), "{why}");
    set_aside_after(|dir| fs::remove_dir_all(dir.join("data/sled")).unwrap());
}

#[test]
fn foreign_files_in_our_places_are_noticed() {
    set_aside_after(|dir| {
        fs::remove_dir_all(dir.join("data")).unwrap();
        fs::write(dir.join("data"), b"a file").unwrap();
    });
    set_aside_after(|dir| fs::write(dir.join("data/format"), b"\x7fELF").unwrap());
    set_aside_after(|dir| {
        fs::remove_file(db(dir)).unwrap();
        fs::create_dir(db(dir)).unwrap();
    });
    let other = filled();
    let why = set_aside_after(|dir| {
        fs::copy(db(other.path()), db(dir)).unwrap();
    });
    assert!(why.contains("another store") || why.contains("gone"), "{why}");
}

#[test]
fn an_older_copy_put_back_is_noticed() {
    let dir = filled();
    let copy = fs::read(db(dir.path())).unwrap();
    act(dir.path(), |tables| tables.put::<Counts>(&(job(1), host("late")), &1));
    act(dir.path(), |tables| tables.put::<Counts>(&(job(2), host("late")), &1));
    fs::write(db(dir.path()), copy).unwrap();
    assert!(rows(dir.path()).1.set_aside.is_some());
}

#[test]
fn a_lost_witness_format_or_snapshot_costs_nothing() {
    let dir = filled();
    fs::remove_file(dir.path().join("data/witness")).unwrap();
    assert_eq!(rows(dir.path()), (ROWS, Opening::default()));
    fs::write(dir.path().join("data/witness"), b"rubbish").unwrap();
    assert_eq!(rows(dir.path()), (ROWS, Opening::default()));
    fs::remove_file(dir.path().join("data/format")).unwrap();
    assert_eq!(rows(dir.path()), (ROWS, Opening::default()));
    for entry in fs::read_dir(dir.path().join("data/sled")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(rows(dir.path()), (ROWS, Opening::default()));
}

#[test]
fn scattered_damage_never_shows_a_store_that_silently_lost_rows() {
    let dir = filled();
    let original = fs::read(db(dir.path())).unwrap();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..40 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let copy = tempfile::tempdir().unwrap();
        let copied = std::process::Command::new("cp").arg("-a").arg(dir.path().join("data")).arg(copy.path()).status();
        assert!(copied.unwrap().success());
        let at = usize::try_from(seed).unwrap() % (original.len() - 600);
        overwrite(&db(copy.path()), |bytes| bytes[at..at + 512].iter_mut().for_each(|byte| *byte ^= 0x3C));
        let (count, opening) = rows(copy.path());
        assert!(opening.set_aside.is_some() || count == ROWS, "{count} rows at {at}, and nobody was told");
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let dir = filled();
    let format = dir.path().join("data/format");
    let text = fs::read_to_string(&format).unwrap();
    fs::write(&format, text.replace("store 1", "store 7")).unwrap();
    let (result, opening) = once(dir.path(), |_| Ok::<_, Error>(()));
    assert!(matches!(result, Err(Error::Newer { .. })), "{result:?}");
    assert_eq!(opening.set_aside, None);
    fs::write(&format, text).unwrap();
    assert_eq!(rows(dir.path()).0, ROWS);
}

#[test]
fn damage_found_while_open_ends_the_transaction_and_the_store_goes_on_afresh() {
    let dir = filled();
    act(dir.path(), |tables| {
        tables.put_raw(b"counts\0*-test-add-1\0odd", vec![1, 9]);
        Ok(())
    });
    let (store, _) = Store::open(dir.path()).unwrap();
    let read = store.act_blocking(|tables| tables.all::<Counts>());
    assert!(matches!(read, Err(Error::Row { .. })), "{read:?}");
    // The walk over sled's own rows finds nothing wrong, so the store stays; only the row cannot be read.
    assert_eq!(store.act_blocking(|tables| tables.get::<Counts>(&(job(7), host("web1.example")))).unwrap(), Some(7));
    assert_eq!(store.take_set_aside(), []);
}

#[test]
fn a_snapshot_that_a_killed_process_has_not_finished_is_no_damage() {
    let dir = filled();
    for (name, text) in [("snap.00FFFFFFFFFFFFFE.generating", ""), ("snap.00FFFFFFFFFFFFFF.generating", "half of one")]
    {
        fs::write(dir.path().join("data/sled").join(name), text).unwrap();
    }
    let (count, opening) = rows(dir.path());
    assert_eq!((count, opening.set_aside.is_none()), (ROWS, true));
}
