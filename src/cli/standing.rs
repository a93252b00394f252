//! How a job stands, in its last lines: the census, and what it waits for.

use super::outcomes::{census, counts};
use crate::fleet::Stage;
use crate::overlord::JobView;
use crate::wire::Secrets;

/// The lines below the hosts of a job.
pub(super) fn lines(job: &JobView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(old) = &job.plan.retry_of {
        lines.push(format!("another try of `{old}`"));
    }
    if job.is_finished() {
        lines.push(census(&job.summary()));
        return lines;
    }
    match job.stage {
        Some(Stage::Asking { upto }) => lines.push(format!("handed out in batches, so far to {upto}")),
        Some(Stage::Pausing { upto, until }) => {
            let until = until.strftime("%H:%M:%S");
            lines.push(format!("handed out in batches, so far to {upto}; the next begins at {until} (UTC)"));
        }
        Some(Stage::Asked | Stage::Stopped(_)) | None => {}
    }
    lines.push(open_census(job));
    if job.cancelled.is_some() {
        lines.push(format!("cancelled; the others are asked again by `func job wait '{}'`", job.id));
    }
    let takes_secret = !Secrets::of(&job.record.args).is_empty();
    if job.interrupted {
        let secret = if takes_secret { " --secret @secret:?" } else { "" };
        lines.push(format!("nobody is at work on it: go on with `func job resume '{}'{secret}`", job.id));
    } else if takes_secret && job.hosts.values().any(|host| host.state.may_lack_its_part()) {
        let resume = format!("func job resume '{}' --secret @secret:?", job.id);
        lines.push(format!("its secret is not kept: a host that never got it is sent it by `{resume}`"));
    }
    lines
}

/// `2 ok, 1 failed, 3 open: 6 hosts`
fn open_census(job: &JobView) -> String {
    let (ended, hosts) = (counts(&job.summary()), job.record.hosts);
    let comma = if ended.is_empty() { "" } else { ", " };
    format!("{ended}{comma}{} open: {hosts} host{}", job.progress.open, if hosts == 1 { "" } else { "s" })
}
