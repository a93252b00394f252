//! What the head of this module promises, tried on real files.

use std::{fs, path::Path, sync::PoisonError, sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;

use super::*;
use crate::tls::Role;

const LARGE: Rotation = Rotation { bytes: 1 << 30, age: Duration::from_hours(24), keep: 3 };

async fn call(log: &AuditLog, caller: &str, outcome: AuditOutcome) -> bool {
    let serial = "1f".parse().unwrap();
    let record = AuditRecord {
        time: Timestamp::now(),
        caller,
        role: Some(Role::Overlord),
        serial: &serial,
        from: ([127, 0, 0, 1], 7).into(),
        minion: None,
        method: Some("test.add"),
        args: Some("[1,2]"),
        outcome,
        error: None,
        duration: Duration::from_millis(1),
        call: None,
        job: None,
        overlord_job: None,
        says_on_behalf_of: None,
        version: None,
        digest: None,
        check: false,
        denials: Vec::new(),
    };
    log.record(&record).done().await
}

/// Writes so many lines in one life of a daemon.
async fn write(path: &Path, rotation: Rotation, lines: usize) {
    let log = AuditLog::open(path, rotation).unwrap();
    for _ in 0..lines {
        assert!(call(&log, "boss", AuditOutcome::Ok).await);
    }
}

fn findings(path: &Path) -> Vec<String> {
    verify(path, None).unwrap().findings
}

#[tokio::test]
async fn a_log_goes_on_over_restarts_and_files_and_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let small = Rotation { bytes: 2000, ..LARGE };
    write(&path, small, 10).await;
    let early = verify(&path, None).unwrap().last.unwrap();
    write(&path, small, 60).await;
    let checked = verify(&path, Some(early)).unwrap();
    assert_eq!((checked.findings.len(), checked.first > 1), (1, true), "{checked:?}");
    assert!(checked.findings[0].contains("noted is not in this log"), "what was rotated away: {checked:?}");
    let (files, checked) = (files(&path).unwrap(), verify(&path, checked.last).unwrap());
    assert_eq!((files.len(), checked.findings), (4, vec![]), "three put aside and the present one");
    // What the minion did not remove itself is missed.
    fs::remove_file(&files[0]).unwrap();
    assert!(findings(&path)[0].contains("nothing in it says that what came before was removed"));
}

#[tokio::test]
async fn whatever_is_done_to_a_line_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    write(&path, LARGE, 6).await;
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    assert_eq!((lines.len(), findings(&path)), (6, vec![]));
    let forged = lines[2].replace("\"boss\"", "\"nobody\"");
    let without = |at: usize| lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| *line).collect();
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let mut twice = lines.clone();
    twice.insert(3, lines[2]);
    let mut put_in = lines.clone();
    put_in.insert(3, "{\"caller\":\"boss\"}");
    let altered: Vec<&str> = lines.iter().map(|line| if line == &lines[2] { forged.as_str() } else { line }).collect();
    for (name, changed, said) in [
        ("altered", altered, "(number 3) was altered"),
        ("removed", without(2), "1 lines before audit.jsonl, line 3 (number 4) are missing"),
        ("the first removed", without(0), "begins with number 2"),
        ("swapped", swapped, "out of order"),
        ("twice", twice, "out of order"),
        ("put in", put_in, "line 4 is no line of the chain"),
        ("cut off", lines[..4].to_vec(), "the end is cut off: 2 lines after number 4"),
        ("emptied", vec![], "the end is cut off: 6 lines after number 0"),
    ] {
        let text = changed.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        fs::write(&path, text).unwrap();
        let findings = findings(&path);
        assert!(findings.iter().any(|finding| finding.contains(said)), "{name}: {findings:?}");
    }
    // Cut off with its head file: only a head that was noted elsewhere tells.
    let head = verify(&path, None).unwrap().last;
    assert!(head.is_none());
    fs::write(&path, &good).unwrap();
    let noted = verify(&path, None).unwrap().last;
    fs::write(&path, format!("{}\n{}\n", lines[0], lines[1])).unwrap();
    let second = verify(&path, None).unwrap().last.unwrap();
    fs::write(folder.path().join("audit.jsonl.head"), serde_json::to_string(&second).unwrap()).unwrap();
    assert_eq!(findings(&path), Vec::<String>::new(), "this is not promised to be found");
    assert_eq!(verify(&path, noted).unwrap().findings.len(), 1);
    fs::remove_file(folder.path().join("audit.jsonl.head")).unwrap();
    assert!(findings(&path)[0].contains("there is no head file"));
}

#[tokio::test]
async fn lines_that_are_missing_at_a_start_stay_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    write(&path, LARGE, 6).await;
    let good = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = good.lines().take(4).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();
    write(&path, LARGE, 2).await;
    let checked = verify(&path, None).unwrap();
    assert!(checked.findings[0].starts_with("2 lines were missing when the log was opened"), "{checked:?}");
    assert_eq!((checked.findings.len(), checked.last.unwrap().seq), (1, 9));
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_line_is_told_of_and_nothing_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    write(&path, LARGE, 2).await;
    let torn = r#"{"time":"2026-01-01T00:00:00Z","caller":"bo"#;
    fs::write(&path, fs::read_to_string(&path).unwrap() + torn).unwrap();
    write(&path, LARGE, 1).await;
    let checked = verify(&path, None).unwrap();
    assert_eq!((checked.findings, checked.lines), (vec![], 4));
    assert!(checked.notes[0].contains("in the middle of a line"), "{:?}", checked.notes);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[2]["torn"], torn);
}

#[tokio::test]
async fn a_log_of_no_chain_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fs::write(&path, "{\"caller\":\"boss\"}\n").unwrap();
    write(&path, LARGE, 1).await;
    let checked = verify(&path, None).unwrap();
    assert_eq!((checked.findings, checked.lines), (vec![], 2));
    assert!(checked.notes[0].contains("audit.jsonl.unchained-1"), "{:?}", checked.notes);
    assert_eq!(fs::read_to_string(folder.path().join("audit.jsonl.unchained-1")).unwrap(), "{\"caller\":\"boss\"}\n");
}

#[tokio::test]
async fn a_file_that_is_taken_away_is_told_of_while_the_minion_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = AuditLog::open(&path, LARGE).unwrap();
    call(&log, "boss", AuditOutcome::Ok).await;
    fs::remove_file(&path).unwrap();
    let mut rounds = 0;
    while !path.exists() {
        rounds += 1;
        assert!(rounds < 1000, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    call(&log, "boss", AuditOutcome::Ok).await;
    assert!(findings(&path).iter().any(|finding| finding.contains("it was removed or renamed")));
}

#[tokio::test]
async fn a_full_disk_is_counted_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let log = AuditLog::open(&path, LARGE).unwrap();
    for _ in 0..3 {
        call(&log, "boss", AuditOutcome::Ok).await;
    }
    assert_eq!(log.shared().unwrap().lost.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_disk_that_hangs_holds_up_one_call_for_a_moment_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // A pipe that nobody reads: it takes 64 kB, then writing hangs.
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let log = AuditLog::open(&path, LARGE).unwrap();
    let began = std::time::Instant::now();
    for _ in 0..6000 {
        call(&log, "boss", AuditOutcome::Ok).await;
    }
    let took = began.elapsed();
    assert!(took >= PATIENCE && took < PATIENCE * 3, "{took:?}");
    let shared = log.shared().unwrap();
    assert!(shared.stalled.load(Ordering::Relaxed) && shared.lost.load(Ordering::Relaxed) > 0);
    // It is read again, and the number of lost lines is written down.
    let drain = std::thread::spawn(move || {
        use std::io::BufRead as _;
        let mut lines = std::io::BufReader::new(reader).lines();
        lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("\"event\":\"lost\""))).unwrap().unwrap()
    });
    while !drain.is_finished() {
        call(&log, "boss", AuditOutcome::Ok).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(drain.join().unwrap().contains("\"lines\":"));
    assert!(!shared.stalled.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_flood_of_denials_is_a_few_lines_and_their_sum() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = AuditLog::open(&path, LARGE).unwrap();
    let mut lines = 0;
    for _ in 0..5000 {
        lines += u64::from(call(&log, "eve", AuditOutcome::Denied).await);
    }
    assert_eq!(lines, flood::LINES);
    let shared = std::sync::Arc::clone(log.shared().unwrap());
    // The end of the log is the end of the minute.
    log.event(&Event::Stopped).done().await;
    let text = || fs::read_to_string(&path).unwrap();
    assert!(text().contains(&format!("\"count\":{}", 5000 - flood::LINES)), "{}", text());
    assert_eq!(text().lines().count() as u64, flood::LINES + 2);
    assert!(
        shared.floods.lock().unwrap_or_else(PoisonError::into_inner).take(std::time::Instant::now(), true).is_empty()
    );
}
