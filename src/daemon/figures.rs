//! What the daemon counts, for Prometheus (the `OpenMetrics` text format).

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{fleet::Outcome, overlord::CertificateEnd};

/// What is counted. Clones count together.
#[derive(Clone)]
pub(super) struct Figures {
    registry: Arc<Registry>,
    outcomes: Family<ByOutcome, Counter>,
    requests: Family<ByStatus, Counter>,
    jobs: Gauge,
    connections: Gauge,
    certificates: Family<ByCertificate, Gauge>,
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
        Self { registry: Arc::new(registry), outcomes, requests, jobs, connections, certificates }
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
    pub(super) fn text(&self, open_jobs: usize, connections: u64, certificates: Vec<CertificateEnd>) -> String {
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
        figures.text(1, 1, vec![end("gone")]);
        let text = figures.text(3, 7, vec![end("web1")]);
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
