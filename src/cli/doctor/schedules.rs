//! Schedules: whether anybody begins their runs, and how those do.

use super::Finding;
use crate::{
    cli::context::Context,
    overlord::{Happened, Overlord, ScheduleView},
    telemetry::chain,
};

/// What is looked at.
pub(super) const CHECK: &str = "schedules";

/// So many runs in a row that went wrong are no accident.
const IN_A_ROW: usize = 3;

pub(super) fn check(overlord: &Overlord) -> Vec<Finding> {
    let listed = Context::block_on(async { Ok(overlord.schedules().await) });
    // The store is looked at for itself.
    let Ok(Ok((schedules, unreadable))) = listed else { return Vec::new() };
    let mut findings: Vec<Finding> = schedules.iter().filter_map(of).collect();
    findings.extend(unreadable.iter().map(|row| {
        let what = format!("the schedule `{}` cannot be read: {}", row.key, chain(&row.error));
        Finding::wrong(CHECK, what, "use the version of func that wrote it, or set it anew")
    }));
    let waiting = schedules.iter().filter(|view| view.next.is_some()).count();
    if waiting > 0 && !overlord.schedules_are_kept() {
        let what = format!("no daemon runs, so none of the {waiting} schedules begins by itself");
        let todo = "start `func daemon`; `func daemon --print-unit` makes it a service";
        findings.push(Finding::wrong(CHECK, what, todo));
    }
    findings
}

fn of(view: &ScheduleView) -> Option<Finding> {
    let name = &view.name;
    if let Some(problem) = &view.problem {
        let todo = format!("set it anew: `func schedule add {name} --replace`");
        return Some(Finding::wrong(CHECK, format!("`{name}` cannot run: {problem}"), todo));
    }
    let wrong = view.wrong_in_a_row();
    if wrong >= IN_A_ROW {
        let why = match view.notes.last().map(|(note, _)| &note.what) {
            Some(Happened::Failed { why }) => format!(": {why}"),
            _ => String::new(),
        };
        let what = format!("`{name}` went wrong {wrong} times in a row{why}");
        return Some(Finding::wrong(
            CHECK,
            what,
            format!("`func schedule show {name}` tells the jobs and the reasons"),
        ));
    }
    match view.notes.last() {
        Some((note, _)) if let Happened::Skipped { open } = &note.what => {
            let what = format!("`{name}` is skipped, {} so far, because its job `{open}` has not ended", note.count);
            Some(Finding::note(
                CHECK,
                what,
                format!("see `func job status '{open}'`, or end it with `func job cancel`"),
            ))
        }
        _ => None,
    }
}
