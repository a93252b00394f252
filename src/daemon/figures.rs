//! What the daemon counts, for Prometheus (the `OpenMetrics` text format).

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{
    fleet::Outcome,
    overlord::{CertificateEnd, ScheduleView},
};

/// What is counted. Clones count together.
#[derive(Clone)]
pub(super) struct Figures {
    registry: Arc<Registry>,
    outcomes: Family<ByOutcome, Counter>,
    requests: Family<ByStatus, Counter>,
    jobs: Gauge,
    connections: Gauge,
    certificates: Family<ByCertificate, Gauge>,
    schedules: OfSchedules,
}

#[derive(Clone, Default)]
struct OfSchedules {
    next: Family<BySchedule, Gauge>,
    last: Family<BySchedule, Gauge>,
    wrong: Family<BySchedule, Gauge>,
    instants: Family<ByEnd, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    endpoint: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCertificate {
    whose: &'static str,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySchedule {
    schedule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEnd {
    schedule: String,
    end: &'static str,
}

impl OfSchedules {
    fn register(registry: &mut Registry) -> Self {
        let figures = Self::default();
        let gauges = [
            ("schedule_next_run_timestamp_seconds", "When a schedule runs next", &figures.next),
            ("schedule_last_run_timestamp_seconds", "For when a schedule has run last", &figures.last),
            ("schedule_wrong_in_a_row", "Runs up to the last one that did not end well on every host", &figures.wrong),
        ];
        for (name, text, gauge) in gauges {
            registry.register(name, text, Family::clone(gauge));
        }
        let text = "Instants of schedules, by what came of them: ran, missed, skipped or failed";
        registry.register("schedule_instants", text, Family::clone(&figures.instants));
        figures
    }

    /// What the store says of them at this moment.
    fn set(&self, schedules: &[ScheduleView]) {
        self.next.clear();
        self.last.clear();
        self.wrong.clear();
        self.instants.clear();
        for view in schedules {
            let schedule = view.name.to_string();
            let label = BySchedule { schedule: schedule.clone() };
            if let Some(next) = &view.next {
                self.next.get_or_create(&label).set(next.timestamp().as_second());
            }
            if let Some((at, _)) = &view.last {
                self.last.get_or_create(&label).set(at.as_second());
            }
            self.wrong.get_or_create(&label).set(i64::try_from(view.wrong_in_a_row()).unwrap_or(i64::MAX));
            let ends = [("ran", view.ran), ("missed", view.missed), ("skipped", view.skipped), ("failed", view.failed)];
            for (end, count) in ends {
                self.instants.get_or_create(&ByEnd { schedule: schedule.clone(), end }).inc_by(count);
            }
        }
    }
}

impl Figures {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("func");
        let (outcomes, requests, certificates) = (Family::default(), Family::default(), Family::default());
        let (jobs, connections) = (Gauge::default(), Gauge::default());
        registry.register("host_outcomes", "Hosts of calls and jobs, by what became of them", Family::clone(&outcomes));
        registry.register("requests", "Answered requests", Family::clone(&requests));
        registry.register("open_jobs", "Jobs that are not finished and are attended", Gauge::clone(&jobs));
        let text = "Connections to minions that were tried since the start";
        registry.register("connections_opened", text, Gauge::clone(&connections));
        let text =
            "When certificates end, in seconds since 1970; of minions those that they have shown since the start";
        registry.register("certificate_end_timestamp_seconds", text, Family::clone(&certificates));
        let schedules = OfSchedules::register(&mut registry);
        Self { registry: Arc::new(registry), outcomes, requests, jobs, connections, certificates, schedules }
    }

    /// One host's end.
    pub(super) fn outcome(&self, outcome: &Outcome) {
        self.outcomes.get_or_create(&ByOutcome { outcome: outcome.name() }).inc();
    }

    /// One request's answer.
    pub(super) fn request(&self, endpoint: &'static str, status: u16) {
        self.requests.get_or_create(&ByStatus { endpoint, status }).inc();
    }

    /// Everything that was counted, with what is read at this moment.
    pub(super) fn text(
        &self,
        open_jobs: usize,
        connections: u64,
        certificates: Vec<CertificateEnd>,
        schedules: &[ScheduleView],
    ) -> String {
        self.schedules.set(schedules);
        self.certificates.clear();
        for CertificateEnd { whose, name, at } in certificates {
            self.certificates.get_or_create(&ByCertificate { whose, name }).set(at.as_second());
        }
        self.jobs.set(i64::try_from(open_jobs).unwrap_or(i64::MAX));
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing into memory does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told_by_name() {
        let figures = Figures::new();
        figures.outcome(&Outcome::Cancelled);
        figures.clone().outcome(&Outcome::Cancelled);
        figures.request("jobs", 200);
        let at = jiff::Timestamp::from_second(2_000_000_000).unwrap();
        let end = |name: &str| CertificateEnd { whose: "minion", name: name.to_owned(), at };
        figures.text(1, 1, vec![end("gone")], &[]);
        let text = figures.text(3, 7, vec![end("web1")], &[]);
        assert!(!text.contains("gone"), "{text}");
        for line in [
            "func_host_outcomes_total{outcome=\"cancelled\"} 2",
            "func_requests_total{endpoint=\"jobs\",status=\"200\"} 1",
            "func_open_jobs 3",
            "func_connections_opened 7",
            "func_certificate_end_timestamp_seconds{whose=\"minion\",name=\"web1\"} 2000000000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
