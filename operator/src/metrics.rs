//! The operator's own metrics, in Prometheus' text format.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

mod purpose;
mod shown;
mod waiting;
mod writes;

pub use purpose::Purpose;
pub use writes::{CountWrites, Counted};

use crate::{installation::Why, objects::Key};
use shown::Shown;
use waiting::Waiting;

/// Metrics of one process, shared by all clones.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    duration: Histogram,
    running: IntGauge,
    waited: Histogram,
    waiting: Arc<Waiting>,
    queued: IntGauge,
    queue_age: Gauge,
    errors: IntCounterVec,
    looks_again: IntCounter,
    status_writes: IntCounter,
    writes: IntCounterVec,
    changes: IntCounterVec,
    samples: IntCounterVec,
    sample_duration: Histogram,
    sampled_pods: IntGauge,
    leader: IntGauge,
    left_alone: IntGaugeVec,
    left: Arc<Mutex<HashMap<Key, Why>>>,
    conditions: Arc<Shown>,
}

/// A pass under way, until it is dropped.
#[derive(Debug)]
pub struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// If two have the same name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("shrewd_operator".into()), None)?;
        let of = &registry;
        let build = IntGaugeVec::new(Opts::new("build_info", "1, with what this is"), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registered(of, build)?;
        let writes = Opts::new("api_writes_total", "Requests to the API server that are no reads");
        let left_alone = Opts::new(
            "left_alone_indexers",
            "Indexers of this operator's class that it leaves alone",
        );
        let left_alone = registered(of, IntGaugeVec::new(left_alone, &["why"])?)?;
        let conditions = Shown::new()?;
        registered(of, conditions.series())?;
        let reconciles = counters(of, "reconciles_total", "Reconcile passes", &["outcome"])?;
        // Shown from the start, for alerts: what begins at 1 has not increased.
        for why in Why::ALL {
            left_alone.with_label_values(&[why.word()]).set(0);
        }
        for is_ok in [true, false] {
            reconciles.with_label_values(&[outcome(is_ok)]).reset();
        }
        Ok(Self {
            reconciles,
            // From a pass that finds nothing to do to one that waits for pods that do not answer.
            duration: seconds(of, "reconcile_duration_seconds", "Duration of a pass")?,
            running: gauge(of, "reconciles_running", "Passes under way")?,
            waited: seconds(
                of,
                "queue_seconds",
                "From the first thing that happened to the pass that looks at it",
            )?,
            waiting: Arc::default(),
            queued: gauge(
                of,
                "queued_indexers",
                "Indexers for which something happened that no pass has looked at",
            )?,
            queue_age: registered(
                of,
                Gauge::new("queue_age_seconds", "How long the first of them has waited")?,
            )?,
            errors: counters(
                of,
                "reconcile_errors_total",
                "Failed steps of passes",
                &["step", "class"],
            )?,
            looks_again: registered(
                of,
                IntCounter::new(
                    "looks_again_total",
                    "Passes given up because what they had decided on had changed",
                )?,
            )?,
            status_writes: registered(of, IntCounter::new("status_writes_total", "Statuses written")?)?,
            writes: registered(of, IntCounterVec::new(writes, &["kind", "verb", "outcome"])?)?,
            changes: counters(of, "changes_total", "Objects written, by why", &["kind", "reason"])?,
            samples: counters(of, "samples_total", "Status requests to pods", &["outcome"])?,
            sample_duration: seconds(of, "sample_duration_seconds", "Duration of a status request to a pod")?,
            sampled_pods: gauge(of, "sampled_pods", "Pods polled regularly")?,
            left_alone,
            left: Arc::default(),
            conditions: Arc::new(conditions),
            leader: gauge(of, "leader", "1 in the process that works, 0 in one that stands by")?,
            registry,
        })
    }

    /// Notes that something happened to an Indexer, so that a pass is due.
    pub fn wanted(&self, key: Key) {
        self.waiting.wanted(key, Instant::now());
    }

    /// Notes that a pass begins.
    #[must_use]
    pub fn begins(&self, key: &Key) -> Running {
        if let Some(waited) = self.waiting.taken(key, Instant::now()) {
            self.waited.observe(waited.as_secs_f64());
        }
        self.running.inc();
        Running(self.running.clone())
    }

    /// Notes that an Indexer is gone, and no pass comes.
    pub fn gone(&self, key: &Key) {
        self.waiting.taken(key, Instant::now());
        self.leaves_alone(key, None);
        self.conditions.forget(key);
    }

    /// Shows the conditions of an Indexer, as its status has them; none of one that this process does not look after.
    pub fn shows(&self, key: &Key, conditions: &[Condition]) {
        self.conditions.show(key, conditions);
    }

    /// Notes whether an Indexer is left alone, and why.
    pub fn leaves_alone(&self, key: &Key, why: Option<Why>) {
        // Nothing below the lock can leave the map half changed.
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => left.insert(key.clone(), why),
            None => left.remove(key),
        };
        for why in Why::ALL {
            let count = left.values().filter(|left| **left == why).count();
            self.left_alone.with_label_values(&[why.word()]).set(signed(count));
        }
    }

    /// Counts a pass.
    pub fn reconciled(&self, took: Duration, is_ok: bool) {
        self.duration.observe(took.as_secs_f64());
        self.reconciles.with_label_values(&[outcome(is_ok)]).inc();
    }

    /// Counts a failed step. `step` and `class`, which is what is done about it, are each one of a few fixed words.
    pub fn step_failed(&self, step: &'static str, class: &'static str) {
        self.errors.with_label_values(&[step, class]).inc();
    }

    /// Counts a pass that was given up because what it had decided on had changed.
    pub fn looked_again(&self) {
        self.looks_again.inc();
    }

    /// Counts a written status.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// Counts a write to the API server, answered or not.
    pub fn wrote(&self, kind: &str, verb: &'static str, outcome: &'static str) {
        self.writes.with_label_values(&[kind, verb, outcome]).inc();
    }

    /// Counts an object that was written; the kind as manifests have it.
    pub fn changed(&self, kind: &str, purpose: Purpose) {
        self.changes.with_label_values(&[kind, purpose.word()]).inc();
    }

    /// Counts a status request, answered or not.
    pub fn sampled(&self, took: Duration, is_ok: bool) {
        self.sample_duration.observe(took.as_secs_f64());
        self.samples.with_label_values(&[outcome(is_ok)]).inc();
    }

    /// Counts a status request that ended in a panic.
    pub fn sample_panicked(&self) {
        self.samples.with_label_values(&[outcome(false)]).inc();
    }

    /// Notes how many pods one scope polls, and polled before.
    pub fn sampled_pods_changed(&self, before: usize, now: usize) {
        self.sampled_pods.add(signed(now).saturating_sub(signed(before)));
    }

    /// Notes that this process leads.
    pub fn leads(&self) {
        self.leader.set(1);
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// If a metric cannot be written, which a complete set of labels rules out.
    pub fn text(&self) -> prometheus::Result<Vec<u8>> {
        let (queued, age) = self.waiting.all(Instant::now());
        self.queued.set(signed(queued));
        self.queue_age.set(age.as_secs_f64());
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    registered(registry, IntGauge::new(name, help)?)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

/// From a millisecond to 16 s.
fn seconds(registry: &Registry, name: &str, help: &str) -> prometheus::Result<Histogram> {
    let buckets = prometheus::exponential_buckets(0.001, 4.0, 8)?;
    registered(
        registry,
        Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?,
    )
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn outcome(is_ok: bool) -> &'static str {
    if is_ok { "ok" } else { "error" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_carry_the_prefix() {
        let metrics = Metrics::new().unwrap();
        metrics.sampled(Duration::from_millis(3), true);
        metrics.status_written();
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert!(
            text.contains("shrewd_operator_samples_total{outcome=\"ok\"} 1"),
            "{text}"
        );
        assert!(text.contains("shrewd_operator_status_writes_total 1"), "{text}");
        for outcome in ["ok", "error"] {
            let none_yet = format!("shrewd_operator_reconciles_total{{outcome=\"{outcome}\"}} 0");
            assert!(text.contains(&none_yet), "{text}");
        }
        let build = format!(
            "shrewd_operator_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        assert!(text.contains(&build), "{text}");
    }

    #[test]
    fn the_queue_is_shown_as_it_is_when_asked() {
        let metrics = Metrics::new().unwrap();
        let key = crate::fixtures::key();
        let shown = |name: &str| {
            let text = String::from_utf8(metrics.text().unwrap()).unwrap();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(&format!("shrewd_operator_{name} ")));
            line.unwrap().to_owned()
        };
        metrics.wanted(key.clone());
        assert_eq!(
            (shown("queued_indexers"), shown("reconciles_running")),
            ("1".into(), "0".into())
        );
        let running = metrics.begins(&key);
        assert_eq!(
            (shown("queued_indexers"), shown("reconciles_running")),
            ("0".into(), "1".into())
        );
        assert_eq!(
            (shown("queue_seconds_count"), shown("queue_age_seconds")),
            ("1".into(), "0".into())
        );
        drop(running);
        assert_eq!(shown("reconciles_running"), "0");
        metrics.wanted(key.clone());
        metrics.gone(&key);
        assert_eq!(
            (shown("queued_indexers"), shown("queue_seconds_count")),
            ("0".into(), "1".into())
        );
    }
}
