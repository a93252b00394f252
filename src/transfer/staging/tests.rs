//! What is promised of the folder, without a network.

use std::{fs::File, time::Duration};

use bytes::Bytes;

use super::*;
use crate::ids::Digest;

fn staging(folder: &Path, stall: Duration) -> Staging {
    let bounds = Bounds {
        at_once: 4,
        per_caller: 100,
        in_all: 150,
        keep: Duration::from_hours(1),
        stall,
        patience: Duration::from_secs(20),
    };
    Staging::open(folder, bounds).unwrap()
}

async fn writing(staging: &Staging, blob: &Blob, range: ContentRange) -> Upload {
    match staging.begin(blob.clone(), range, Coding::Plain).await.unwrap() {
        Begun::Writing(upload) => upload,
        Begun::Whole(_) => panic!("it is whole already"),
    }
}

#[tokio::test]
async fn a_part_goes_on_where_it_ends_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let staging = staging(folder.path(), Duration::from_secs(5));
    let blob = Blob::new(Digest::of(b"hello you"), "boss");
    let mut upload = writing(&staging, &blob, ContentRange { first: 0, end: 9, total: 9 }).await;
    assert!(upload.write(Bytes::from_static(b"hello")).await);
    assert_eq!(upload.finish(false).await.unwrap(), Staged::Part(5));
    for first in [0, 4, 6] {
        let refused = staging.begin(blob.clone(), ContentRange::rest(first, 9), Coding::Plain).await.unwrap_err();
        assert!(matches!(refused, Refused::Offset { offset: 5 }), "{refused}");
    }
    assert!(staging.take(&blob).unwrap().is_none(), "a part is nothing yet");
    let mut upload = writing(&staging, &blob, ContentRange::rest(5, 9)).await;
    assert!(upload.write(Bytes::from_static(b" you")).await);
    assert!(!upload.write(Bytes::from_static(b"!")).await, "more than was said");
    assert_eq!(upload.finish(true).await.unwrap(), Staged::Whole(9));
    let taken = staging.take(&blob).unwrap().unwrap();
    assert!(staging.take(&blob).unwrap().is_none(), "one gets it");
    drop(taken);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn who_asks_where_to_go_on_is_told_what_a_writer_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let staging = staging(folder.path(), Duration::from_secs(5));
    let blob = Blob::new(Digest::of(b"hello you"), "boss");
    let mut upload = writing(&staging, &blob, ContentRange { first: 0, end: 9, total: 9 }).await;
    let asked = async {
        staging.settle(&blob).await;
        staging.staged(&blob).unwrap()
    };
    let leaves = async {
        assert!(upload.write(Bytes::from_static(b"hello")).await);
        upload.finish(false).await.unwrap()
    };
    assert_eq!(tokio::join!(asked, leaves), (Staged::Part(5), Staged::Part(5)));
    // Nobody writes any more.
    staging.settle(&blob).await;
}

#[tokio::test]
async fn no_more_comes_out_of_what_is_compressed_than_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let staging = staging(folder.path(), Duration::from_secs(5));
    let blob = Blob::new(Digest::of(&[0; 99]), "boss");
    for (length, staged) in [(1 << 20, None), (99, Some(Staged::Whole(99)))] {
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        io::Write::write_all(&mut frame, &vec![0; length]).unwrap();
        let frame = Bytes::from(frame.finish().unwrap());
        let begun = staging.begin(blob.clone(), ContentRange::rest(0, 99), Coding::Lz4).await.unwrap();
        let Begun::Writing(mut upload) = begun else { panic!("it is whole already") };
        upload.write(frame).await;
        let ended = upload.finish(true).await;
        match staged {
            Some(staged) => assert_eq!(ended.unwrap(), staged),
            None => assert!(matches!(ended, Err(Refused::Length)), "{ended:?}"),
        }
        assert!(Usage::of(folder.path()).unwrap().sum(None) <= 99);
    }
}

#[tokio::test]
async fn a_silent_writer_gives_way_and_a_busy_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let staging = staging(folder.path(), Duration::from_millis(50));
    let blob = Blob::new(Digest::of(b"ab"), "boss");
    let mut first = writing(&staging, &blob, ContentRange::rest(0, 2)).await;
    assert!(first.write(Bytes::from_static(b"a")).await);
    let superseded = first.superseded();
    let (again, ended) = tokio::join!(staging.begin(blob.clone(), ContentRange::rest(1, 2), Coding::Plain), async {
        superseded.cancelled().await;
        first.finish(false).await
    });
    assert!(matches!(ended, Err(Refused::Superseded)), "{ended:?}");
    let Ok(Begun::Writing(mut second)) = again else { panic!("{again:?}") };
    assert!(second.write(Bytes::from_static(b"b")).await);
    assert_eq!(second.finish(true).await.unwrap(), Staged::Whole(2));
}

#[tokio::test]
async fn what_is_promised_counts_and_what_nobody_wants_goes() {
    let folder = tempfile::tempdir().unwrap();
    let staging = staging(folder.path(), Duration::from_secs(5));
    let blob = |bytes: &[u8], caller: &str| Blob::new(Digest::of(bytes), caller);
    let begun = writing(&staging, &blob(b"1", "boss"), ContentRange::rest(0, 60)).await;
    let refused = staging.has_room(&blob(b"2", "boss"), 60).unwrap_err();
    assert!(matches!(refused, Refused::TooMuch { wanted: 120, most: 100 }), "{refused}");
    assert!(matches!(staging.has_room(&blob(b"2", "other"), 95), Err(Refused::NoRoom)));
    staging.has_room(&blob(b"2", "other"), 90).unwrap();
    drop(begun);
    let old = blob(b"3", "boss").part(folder.path());
    fs::write(&old, "x").unwrap();
    let long_ago = SystemTime::now() - Duration::from_hours(2);
    File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(staging.sweep().unwrap(), 1);
    assert!(!old.exists());
}
