//! What a call has used, host by host.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use serde_json::json;

use super::exit::Exit;
use super::render;
use super::report::Report;
use super::shape::Shape;
use crate::ids::HostName;
use crate::plugin::Budget;

/// A report with what its call has used below it.
pub(super) struct WithBudgets {
    pub(super) report: Box<dyn Report>,
    pub(super) budgets: BTreeMap<HostName, Budget>,
}

impl Report for WithBudgets {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.shaped(&Shape::Folded, out)
    }

    fn shaped(&self, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
        self.report.shaped(shape, out)?;
        if self.budgets.is_empty() || !shape.is_for_people() {
            return Ok(());
        }
        let row = |(host, budget): (&HostName, &Budget)| {
            let calls = budget.host_calls.iter().map(|(name, count)| format!("{name} {count}"));
            vec![
                host.to_string(),
                milliseconds(budget.wall),
                milliseconds(budget.cpu),
                format!("{} KiB", budget.memory_bytes >> 10),
                budget.denied.to_string(),
                render::visible(&calls.collect::<Vec<_>>().join(", ")),
            ]
        };
        let rows: Vec<_> = self.budgets.iter().map(row).collect();
        let header = ["host", "wall", "cpu", "memory", "denied", "host calls"];
        writeln!(out, "\n{}", render::table(&header, &rows, &[1, 2, 3, 4]))?;
        for (host, budget) in &self.budgets {
            for denial in &budget.denials {
                writeln!(out, "{host}: {}", render::visible(&denial.message))?;
                if let Some(lines) = &denial.allow {
                    writeln!(out, "    to allow it:")?;
                    lines.lines().try_for_each(|line| writeln!(out, "    {}", render::visible(line)))?;
                }
            }
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let mut data = self.report.json();
        data["budgets"] = json!(self.budgets);
        data
    }

    fn exit(&self) -> Exit {
        self.report.exit()
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
