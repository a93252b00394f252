//! What the hosts of a job say while it runs, as it comes.

use std::future::Future;
use std::io::Write;

use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::failure::Failure;
use super::progress::Progress;
use super::render;
use super::report::{Report, Silent};
use crate::ids::{HostName, OverlordJobId};
use crate::overlord::{Heard, JobView, Overlord};

/// Shows what a job's hosts say until `work` is done, and lets them finish what they were saying.
pub(super) async fn followed(
    context: &Context,
    overlord: &Overlord,
    id: &OverlordJobId,
    progress: &Progress,
    work: impl Future<Output = Result<JobView, Failure>>,
) -> Result<JobView, Failure> {
    let over = CancellationToken::new();
    let working = async {
        let _over = over.clone().drop_guard();
        work.await
    };
    let listening = overlord.follow(id, over.clone(), |host, heard| {
        progress.aside(|| show(context, host, &heard));
    });
    let (view, listened) = tokio::join!(working, listening);
    listened?;
    view
}

/// One line for people, or one object for programs.
fn show(context: &Context, host: &HostName, heard: &Heard) {
    let line = if context.json { json(host, heard).to_string() } else { text(host, heard) };
    // Whoever has read enough closes the pipe; the job goes on, and so does its end's report, which says so.
    let _ = writeln!(anstream::stdout().lock(), "{line}");
}

fn text(host: &HostName, heard: &Heard) -> String {
    match heard {
        Heard::Line(line) => format!("{host}: {}", render::visible(line)),
        Heard::Progress { done, total, note } => {
            let of = if *total > 0 { format!("/{total}") } else { String::new() };
            format!("{host}: [{done}{of}] {}", render::visible(note)).trim_end().to_owned()
        }
    }
}

fn json(host: &HostName, heard: &Heard) -> serde_json::Value {
    match heard {
        Heard::Line(line) => serde_json::json!({ "host": host, "line": line }),
        Heard::Progress { done, total, note } => {
            serde_json::json!({ "host": host, "progress": { "done": done, "total": total, "note": note } })
        }
    }
}

/// The last line for programs is the job; people get it as ever.
pub(super) fn ending(context: &Context, report: Box<dyn Report>) -> Box<dyn Report> {
    if !context.json {
        return report;
    }
    let _ = writeln!(anstream::stdout().lock(), "{}", serde_json::json!({ "job": report.json() }));
    Box::new(Silent(report.exit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_host_and_none_drives_the_terminal() {
        let host: HostName = "web1".parse().unwrap();
        let line = Heard::Line("\u{1b}[2J gone".to_owned());
        assert_eq!(text(&host, &line), "web1: \\u{1b}[2J gone");
        assert_eq!(json(&host, &line)["line"], "\u{1b}[2J gone");
        let progress = |total, note: &str| Heard::Progress { done: 3, total, note: note.to_owned() };
        assert_eq!(text(&host, &progress(10, "copying")), "web1: [3/10] copying");
        assert_eq!(text(&host, &progress(0, "")), "web1: [3]");
    }
}
