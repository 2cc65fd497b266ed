//! 1,000 Indexers: the operator is replaced, and all of them are changed while there is none.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    cluster::Cluster,
    metrics::Metrics,
    table::{Bar, Table},
    usage::Usage,
    window::Window,
};

/// How long it is watched at rest.
const REST: Duration = Duration::from_secs(60);

/// Measures it.
pub(crate) async fn measure(indexers: usize, table: &mut Table) {
    let count = f64::from(u32::try_from(indexers).unwrap());
    let cluster = Cluster::start().await;
    let operator = cluster.operator();
    let started = Instant::now();
    cluster.declare(indexers).await;
    cluster.converged(indexers, "True").await;
    table.add(
        "many_made_s",
        started.elapsed().as_secs_f64(),
        "s",
        None,
        format!("{indexers} Indexers are made and ready; the API server and our simulation take most of it"),
    );
    cluster.quiet().await;
    let peak = Usage::of(operator.process.id()).peak_mib;
    table.add(
        "many_made_peak_mib",
        peak,
        "MiB",
        Bar::Below(150.0),
        "the most meanwhile",
    );
    cluster.end(operator).await;

    // Shown in a set, and in no pod.
    cluster
        .change(indexers, &json!({"storage": {"retention": "Delete"}}))
        .await;
    let before = cluster.work().len();
    let started = Instant::now();
    let operator = cluster.operator();
    let mut queue_age = 0.0_f64;
    let converged = cluster.converged(indexers, "True");
    tokio::pin!(converged);
    loop {
        tokio::select! {
            _ = &mut converged => break,
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                if let Some(text) = operator.metrics().await {
                    queue_age = queue_age.max(Metrics::read(text).sum("queue_age_seconds", ""));
                }
            }
        }
    }
    table.add(
        "restart_converged_s",
        started.elapsed().as_secs_f64(),
        "s",
        Bar::Below(60.0),
        format!("after a restart of the operator, {indexers} Indexers that were changed while there was none"),
    );
    table.add(
        "restart_queue_age_s",
        queue_age,
        "s",
        None,
        "the most that `queue_age_seconds` said",
    );
    cluster.quiet().await;
    let written = cluster.work().split_off(before);
    let of_sets = written.iter().filter(|write| write.resource == "statefulsets").count();
    assert_eq!(of_sets, indexers, "each set is written once");
    assert!(written.iter().all(|write| write.verb != "delete"), "no pod is replaced");
    table.add(
        "restart_writes_per_indexer",
        f64::from(u32::try_from(written.len()).unwrap()) / count,
        "writes",
        None,
        "its set and its status",
    );
    let window = Window::of(&cluster, &operator, REST).await;
    let usage = Usage::of(operator.process.id());
    table.add(
        "many_peak_mib",
        usage.peak_mib,
        "MiB",
        Bar::Below(150.0),
        "the most since the restart",
    );
    table.add(
        "many_resident_mib",
        window.resident_mib,
        "MiB",
        Bar::Below(150.0),
        "the most at rest",
    );
    table.add(
        "many_processor_percent",
        window.processor_percent,
        "% of a core",
        None,
        format!("at rest, {:.0} s", window.took.as_secs_f64()),
    );
    table.add(
        "many_rest_writes",
        f64::from(u32::try_from(window.writes.len()).unwrap()),
        "writes",
        Bar::AtMost(0.0),
        window.written(),
    );
    table.add(
        "many_samples",
        window.samples_per_pod(2.0 * count),
        "per pod and 5 s",
        Bar::AtLeast(0.9),
        "`samples_total`",
    );
    cluster.end(operator).await;
}
