//! 1,000 Indexers: the operator is replaced, and all of them are changed while there is none.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    cluster::Cluster,
    metrics::Metrics,
    support::process::Operator,
    table::{Bar, Table, count},
    usage::Usage,
    window::Window,
};

/// How long it is watched at rest.
const REST: Duration = Duration::from_secs(60);

/// Measures it.
pub(crate) async fn measure(indexers: usize, table: &mut Table) {
    let cluster = Cluster::start().await;
    made(&cluster, indexers, table).await;
    // Shown in a set, and in no pod.
    cluster
        .change(indexers, &json!({"storage": {"retention": "Delete"}}))
        .await;
    let before = cluster.work().len();
    let operator = cluster.operator();
    converges(&cluster, &operator, indexers, table).await;
    cluster.quiet().await;
    written_once(&cluster, before, indexers, table);
    at_rest(&cluster, &operator, indexers, table).await;
    cluster.end(operator).await;
}

/// The objects of all of them, by an operator that ends when they are there.
async fn made(cluster: &Cluster, indexers: usize, table: &mut Table) {
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
    table.add(
        "many_made_peak_mib",
        Usage::of(operator.process.id()).peak_mib,
        "MiB",
        Bar::Below(150.0),
        "the most meanwhile",
    );
    cluster.end(operator).await;
}

/// How long it takes an operator that has just started.
async fn converges(cluster: &Cluster, operator: &Operator, indexers: usize, table: &mut Table) {
    let started = Instant::now();
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
}

/// What was written since there were so many writes: each set once.
fn written_once(cluster: &Cluster, before: usize, indexers: usize, table: &mut Table) {
    let written = cluster.work().split_off(before);
    let of_sets = written.iter().filter(|write| write.resource == "statefulsets").count();
    assert_eq!(of_sets, indexers, "each set is written once");
    assert!(written.iter().all(|write| write.verb != "delete"), "no pod is replaced");
    table.add(
        "restart_writes_per_indexer",
        count(written.len()) / count(indexers),
        "writes",
        None,
        "its set and its status",
    );
}

async fn at_rest(cluster: &Cluster, operator: &Operator, indexers: usize, table: &mut Table) {
    let window = Window::of(cluster, operator, REST).await;
    table.add(
        "many_peak_mib",
        Usage::of(operator.process.id()).peak_mib,
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
        count(window.writes.len()),
        "writes",
        Bar::AtMost(0.0),
        window.written(),
    );
    table.add(
        "many_samples",
        window.samples_per_pod(2.0 * count(indexers)),
        "per pod and 5 s",
        Bar::AtLeast(0.9),
        "`samples_total`",
    );
}
