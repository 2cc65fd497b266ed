//! What the conditions of each Indexer are, as a metric: for alerts, which must not need a look at the API.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus::{IntGaugeVec, Opts};

use crate::objects::Key;

/// Type, status, reason.
type Said = [String; 3];

/// A series for each condition of each Indexer that this process looks after.
#[derive(Debug)]
pub(super) struct Shown {
    series: IntGaugeVec,
    /// What has a series.
    said: Mutex<HashMap<Key, Vec<Said>>>,
}

impl Shown {
    /// None is shown yet.
    pub(super) fn new() -> prometheus::Result<Self> {
        let about = Opts::new(
            "indexer_condition",
            "1: a condition of an Indexer has this status, for this reason",
        );
        Ok(Self {
            series: IntGaugeVec::new(about, &["namespace", "indexer", "type", "status", "reason"])?,
            said: Mutex::default(),
        })
    }

    pub(super) fn series(&self) -> IntGaugeVec {
        self.series.clone()
    }

    /// Shows these conditions, and no others of this Indexer.
    pub(super) fn show(&self, key: &Key, conditions: &[Condition]) {
        let now: Vec<Said> = conditions
            .iter()
            .map(|condition| [&condition.type_, &condition.status, &condition.reason].map(String::clone))
            .collect();
        let mut said = self.said();
        let before = said.get(key).map(Vec::as_slice).unwrap_or_default();
        if before == now {
            return;
        }
        for gone in before.iter().filter(|said| !now.contains(said)) {
            self.remove(key, gone);
        }
        for [type_, status, reason] in &now {
            let labels = [&key.namespace, &key.name, type_, status, reason].map(String::as_str);
            self.series.with_label_values(&labels).set(1);
        }
        said.insert(key.clone(), now);
    }

    /// Shows nothing of an Indexer any more.
    pub(super) fn forget(&self, key: &Key) {
        for said in self.said().remove(key).unwrap_or_default() {
            self.remove(key, &said);
        }
    }

    fn remove(&self, key: &Key, [type_, status, reason]: &Said) {
        let labels = [&key.namespace, &key.name, type_, status, reason].map(String::as_str);
        // It is there: each that was said was set.
        let _ = self.series.remove_label_values(&labels);
    }

    fn said(&self) -> MutexGuard<'_, HashMap<Key, Vec<Said>>> {
        // Nothing below the lock can leave the map half changed.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use prometheus::{Encoder, Registry, TextEncoder};

    use super::*;

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message: String::new(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        }
    }

    #[test]
    fn only_what_holds_now_has_a_series() {
        let (shown, registry) = (Shown::new().unwrap(), Registry::new());
        registry.register(Box::new(shown.series())).unwrap();
        let lines = || {
            let mut text = Vec::new();
            TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            text.lines().filter(|line| !line.starts_with('#')).count()
        };
        let key = crate::fixtures::key();
        let other = Key {
            name: "two".into(),
            ..key.clone()
        };
        shown.show(
            &key,
            &[
                condition("Ready", "False", "RollingPods"),
                condition("Stalled", "False", "AsExpected"),
            ],
        );
        shown.show(&other, &[condition("Ready", "True", "AsExpected")]);
        assert_eq!(lines(), 3);
        shown.show(
            &key,
            &[
                condition("Ready", "True", "AsExpected"),
                condition("Stalled", "False", "AsExpected"),
            ],
        );
        assert_eq!(lines(), 3);
        shown.forget(&key);
        shown.forget(&key);
        assert_eq!(lines(), 1);
    }
}
