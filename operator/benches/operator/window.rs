//! The operator watched for a while: what it takes, what it writes, and what it says of that itself.

use std::time::{Duration, Instant};

use crate::{
    cluster::Cluster,
    metrics::Metrics,
    support::{audit::Write, process::Operator},
    usage::Usage,
};

/// Interval at which a Prometheus reads metrics.
const SCRAPE_EVERY: Duration = Duration::from_secs(15);
/// Interval at which its memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// See the module.
pub(crate) struct Window {
    pub(crate) took: Duration,
    /// Processor time, in percent of one core.
    pub(crate) processor_percent: f64,
    /// The most resident memory that was seen.
    pub(crate) resident_mib: f64,
    /// What it wrote, by the audit log, and how often it renewed its Lease.
    pub(crate) writes: Vec<Write>,
    pub(crate) renewals: usize,
    before: Metrics,
    after: Metrics,
    /// The longest that something was seen to wait for a pass, and the most that waited.
    pub(crate) queue_age_seconds: f64,
    pub(crate) queued: f64,
}

impl Window {
    /// Watches for so long.
    pub(crate) async fn of(cluster: &Cluster, operator: &Operator, long: Duration) -> Self {
        let (writes, renewals) = (cluster.work().len(), cluster.renewals());
        let before = Metrics::of(operator).await;
        let (started, first) = (Instant::now(), Usage::of(operator.process.id()));
        let (mut resident_mib, mut queue_age_seconds, mut queued) = (0.0_f64, 0.0_f64, 0.0_f64);
        let mut scrape = started + SCRAPE_EVERY;
        while started.elapsed() < long {
            tokio::time::sleep(LOOK_EVERY).await;
            resident_mib = resident_mib.max(Usage::of(operator.process.id()).resident_mib);
            if Instant::now() > scrape {
                scrape += SCRAPE_EVERY;
                let metrics = Metrics::of(operator).await;
                queue_age_seconds = queue_age_seconds.max(metrics.sum("queue_age_seconds", ""));
                queued = queued.max(metrics.sum("queued_indexers", ""));
            }
        }
        let (took, last) = (started.elapsed(), Usage::of(operator.process.id()));
        let processor = last.processor - first.processor;
        let after = Metrics::of(operator).await;
        Self {
            took,
            processor_percent: 100.0 * processor.as_secs_f64() / took.as_secs_f64(),
            resident_mib,
            writes: cluster.work().split_off(writes),
            renewals: cluster.renewals() - renewals,
            before,
            after,
            queue_age_seconds,
            queued,
        }
    }

    /// By how much a metric grew, in all values whose labels contain this text.
    pub(crate) fn grew(&self, metric: &str, labels: &str) -> f64 {
        self.after.sum(metric, labels) - self.before.sum(metric, labels)
    }

    /// A metric at the end.
    pub(crate) fn at_end(&self, metric: &str) -> f64 {
        assert!(self.after.has(metric), "there is no metric {metric}");
        self.after.sum(metric, "")
    }

    /// How often a pod was asked, in 5 seconds.
    pub(crate) fn samples_per_pod(&self, pods: f64) -> f64 {
        self.grew("samples_total", "\"ok\"") / pods / (self.took.as_secs_f64() / 5.0)
    }

    /// The mean of a histogram of seconds over this time, in milliseconds.
    pub(crate) fn mean_ms(&self, histogram: &str) -> f64 {
        let seconds = self.grew(&format!("{histogram}_sum"), "");
        1_000.0 * seconds / self.grew(&format!("{histogram}_count"), "").max(1.0)
    }

    /// Which resources were written, and how often.
    pub(crate) fn written(&self) -> String {
        let mut counts = std::collections::BTreeMap::new();
        for write in &self.writes {
            *counts.entry(format!("{} {}", write.verb, write.resource)).or_insert(0) += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what}: {count}")).collect();
        if counts.is_empty() {
            "nothing".into()
        } else {
            counts.join(", ")
        }
    }
}
