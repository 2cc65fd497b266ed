//! Alerts and dashboards on a real cluster: a Prometheus in a pod there scrapes the pods and the operator, and has the
//! chart's rules. `tests/monitoring/cluster` starts it and runs these tests; `make test` does not.
//!
//! Of a rule only `for` is shorter, by one factor for all; ranges are as shipped, so that the tests take as long as the
//! longest range. They wait side by side. Each brings about the state that an alert is for, waits until it fires, undoes
//! the state, and waits until it has ended. `afterwards` looks at what Prometheus has kept of all of them, and runs when
//! the others are through.

mod afterwards;
mod attention;
mod behind;
mod digests;
mod halted;
mod memory;
mod node;
mod operator;
mod pod_down;
mod snapshots;
mod stalled;
mod traffic;
mod volume;

use std::time::Duration;

use e2e::{namespace::Namespace, prometheus::Alert};
use serde_json::{Value, json};

/// Enough for an alert that looks at what is now.
const SOON: Duration = Duration::from_secs(120);
/// Enough for one that looks at five minutes.
const FIVE_MINUTES: Duration = Duration::from_secs(8 * 60);
/// Enough for one that looks at ten.
const TEN_MINUTES: Duration = Duration::from_secs(15 * 60);

/// An alert about an Indexer of a namespace.
fn alert(namespace: &Namespace, name: &'static str, severity: &'static str) -> Alert {
    let labels = format!(r#"namespace="{}""#, namespace.name);
    Alert::of(&namespace.cluster, name, severity, &labels)
}

/// Of a processor, for a guest that takes all it gets: other tests wait beside it.
fn one_fifth() -> Value {
    json!({"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"cpu": "200m", "memory": "512Mi"}})
}
