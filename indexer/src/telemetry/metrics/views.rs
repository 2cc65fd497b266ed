//! Metrics of queries.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};

use super::register::{counter, counters, register, seconds};

/// Distinct function names in labels; a module with more views has the rest counted as [`OTHER_FUNCTION`].
const FUNCTION_LABELS_MAX: usize = 200;
/// Label of a function the module does not have, so that clients cannot invent label values.
pub const OTHER_FUNCTION: &str = "other";

/// Metrics of queries.
pub(super) struct ViewMetrics {
    ended: IntCounterVec,
    seconds: Histogram,
    pub(super) running: IntGauge,
    pub(super) malformed_answers: IntCounter,
    /// Names that are labels already.
    functions: Mutex<BTreeSet<String>>,
}

impl ViewMetrics {
    /// All of them, at zero.
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let took = seconds("view_seconds", "Wall time of views, the wait for a place included.");
        Ok(Self {
            ended: counters(
                registry,
                "views_total",
                "Views asked for, by how they ended.",
                &["function", "outcome"],
            )?,
            seconds: register(registry, Histogram::with_opts(took)?)?,
            running: register(
                registry,
                IntGauge::new("views_running", "Views that wait for a place or run.")?,
            )?,
            malformed_answers: counter(
                registry,
                "malformed_view_answers_total",
                "Views that returned no valid pointer and were answered as empty.",
            )?,
            functions: Mutex::default(),
        })
    }

    /// A view was called and ended so.
    pub(super) fn ended(&self, function: &str, outcome: &'static str, took: Duration) {
        let label = {
            let mut known = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() < FUNCTION_LABELS_MAX && !known.contains(function) {
                known.insert(function.to_owned());
            }
            if known.contains(function) {
                function
            } else {
                OTHER_FUNCTION
            }
        };
        self.ended.with_label_values(&[label, outcome]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
