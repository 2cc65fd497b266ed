//! The operator's own metrics, in Prometheus' text format.

use std::time::Duration;

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Metrics of one process, shared by all clones.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    duration: Histogram,
    errors: IntCounterVec,
    looks_again: IntCounter,
    status_writes: IntCounter,
    samples: IntCounterVec,
    sampled_pods: IntGauge,
    leader: IntGauge,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// If two have the same name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("shrewd_operator".into()), None)?;
        let metrics = Self {
            reconciles: IntCounterVec::new(Opts::new("reconciles_total", "Reconcile passes"), &["outcome"])?,
            duration: Histogram::with_opts(
                // From a pass that finds nothing to do to one that waits for pods that do not answer.
                HistogramOpts::new("reconcile_duration_seconds", "Duration of a pass")
                    .buckets(prometheus::exponential_buckets(0.001, 4.0, 8)?),
            )?,
            errors: IntCounterVec::new(Opts::new("reconcile_errors_total", "Failed steps of passes"), &["step"])?,
            looks_again: IntCounter::new(
                "looks_again_total",
                "Passes given up because what they had decided on had changed",
            )?,
            status_writes: IntCounter::new("status_writes_total", "Statuses written")?,
            samples: IntCounterVec::new(Opts::new("samples_total", "Status requests to pods"), &["outcome"])?,
            sampled_pods: IntGauge::new("sampled_pods", "Pods polled regularly")?,
            leader: IntGauge::new("leader", "1 in the process that works, 0 in one that stands by")?,
            registry,
        };
        metrics.registry.register(Box::new(metrics.reconciles.clone()))?;
        metrics.registry.register(Box::new(metrics.duration.clone()))?;
        metrics.registry.register(Box::new(metrics.errors.clone()))?;
        metrics.registry.register(Box::new(metrics.looks_again.clone()))?;
        metrics.registry.register(Box::new(metrics.status_writes.clone()))?;
        metrics.registry.register(Box::new(metrics.samples.clone()))?;
        metrics.registry.register(Box::new(metrics.sampled_pods.clone()))?;
        metrics.registry.register(Box::new(metrics.leader.clone()))?;
        Ok(metrics)
    }

    /// Counts a pass.
    pub fn reconciled(&self, took: Duration, is_ok: bool) {
        self.duration.observe(took.as_secs_f64());
        self.reconciles.with_label_values(&[outcome(is_ok)]).inc();
    }

    /// Counts a failed step. `step` is one of a few fixed words.
    pub fn step_failed(&self, step: &'static str) {
        self.errors.with_label_values(&[step]).inc();
    }

    /// Counts a pass that was given up because what it had decided on had changed.
    pub fn looked_again(&self) {
        self.looks_again.inc();
    }

    /// Counts a written status.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// Counts a status request, answered or not.
    pub fn sampled(&self, is_ok: bool) {
        self.samples.with_label_values(&[outcome(is_ok)]).inc();
    }

    /// Notes how many pods one scope polls, and polled before.
    pub fn sampled_pods_changed(&self, before: usize, now: usize) {
        let signed = |count| i64::try_from(count).unwrap_or(i64::MAX);
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
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
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
        metrics.sampled(true);
        metrics.status_written();
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert!(
            text.contains("shrewd_operator_samples_total{outcome=\"ok\"} 1"),
            "{text}"
        );
        assert!(text.contains("shrewd_operator_status_writes_total 1"), "{text}");
    }
}
