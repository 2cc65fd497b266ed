//! What the operator says of itself.

use crate::support::process::Operator;

/// Its `/metrics` at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) async fn of(operator: &Operator) -> Self {
        Self::read(operator.metrics().await.expect("the operator answers"))
    }

    pub(crate) fn read(text: String) -> Self {
        Self(text)
    }

    /// A metric, or the sum of its values whose labels contain this text.
    pub(crate) fn sum(&self, name: &str, labels: &str) -> f64 {
        let name = format!("shrewd_operator_{name}");
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(&name));
        let values = lines.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels));
        values
            .map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Whether a metric is there at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(&format!("# TYPE shrewd_operator_{name} "))
    }
}
