//! 100 Indexers: at rest, and all of them in a sync.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::jiff::Timestamp;

use crate::{
    cluster::Cluster,
    support::process::Operator,
    table::{Bar, Table, count},
    usage::Usage,
    window::Window,
};

const INDEXERS: usize = 100;
const PODS: f64 = 200.0;
/// The longest time that a sync is watched: it shows the pace of writes six times.
const SYNC: Duration = Duration::from_secs(180);
/// What counts as the same moment twice: a write is counted where the server received it, the pause before it begins
/// where the operator looked.
const SLACK_SECONDS: f64 = 0.5;

/// What is written about pods that are not ready any more is written by then.
const SETTLES: Duration = Duration::from_secs(5);

/// Measures it, for so long at rest.
pub(crate) async fn measure(long: Duration, table: &mut Table) {
    let cluster = Cluster::start().await;
    let operator = cluster.operator();
    cluster.declare(INDEXERS).await;
    let took = cluster.converged(INDEXERS, "True").await;
    println!("{INDEXERS} Indexers are ready after {:.0} s", took.as_secs_f64());
    cluster.quiet().await;
    at_rest(&cluster, &operator, long, table).await;

    cluster.chain.sync();
    cluster.controller.ready(false).await;
    cluster.converged(INDEXERS, "False").await;
    // The readiness of the second pod may be shown a moment after that of the first. From then on, only numbers change.
    tokio::time::sleep(SETTLES).await;
    in_sync(&cluster, &operator, SYNC.min(long), table).await;
    cluster.end(operator).await;
}

async fn at_rest(cluster: &Cluster, operator: &Operator, long: Duration, table: &mut Table) {
    let window = Window::of(cluster, operator, long).await;
    written_at_rest(&window, table);
    taken_at_rest(&window, &Usage::of(operator.process.id()), table);
    samples(
        &window,
        table,
        ["rest_samples", "rest_sample_failures", "rest_sample_ms"],
    );
    table.add(
        "rest_queued",
        window.queued,
        "Indexers",
        Bar::AtMost(0.0),
        "the most that `queued_indexers` said",
    );
    assert_eq!(window.at_end("leader"), 1.0);
    assert_eq!(window.at_end("build_info"), 1.0);
    assert_eq!(window.at_end("sampled_pods"), PODS);
}

fn written_at_rest(window: &Window, table: &mut Table) {
    let seconds = window.took.as_secs_f64();
    table.add(
        "rest_writes",
        count(window.writes.len()),
        "writes",
        Bar::AtMost(0.0),
        format!(
            "{INDEXERS} Indexers of 2 pods, {seconds:.0} s, by the audit log: {}",
            window.written()
        ),
    );
    table.add(
        "rest_writes_metric",
        window.grew("api_writes_total", ""),
        "writes",
        Bar::AtMost(0.0),
        "the same by `api_writes_total`",
    );
    table.add(
        "rest_lease_renewals",
        count(window.renewals),
        "writes",
        Bar::AtMost((seconds / 2.0 + 2.0).ceil()),
        "of the Lease, one every 2 s, which the other two leave out",
    );
    let passes = window.grew("reconciles_total", "") + window.grew("looks_again_total", "");
    table.add(
        "rest_passes_per_indexer",
        passes / count(INDEXERS),
        "passes",
        Bar::AtMost(1.0),
        "there is no resync but a watch that must list again",
    );
}

fn taken_at_rest(window: &Window, usage: &Usage, table: &mut Table) {
    table.add(
        "rest_resident_mib",
        window.resident_mib,
        "MiB",
        Bar::Below(40.0),
        format!("the most at rest, {} threads", usage.threads),
    );
    table.add(
        "rest_peak_mib",
        usage.peak_mib,
        "MiB",
        Bar::Below(40.0),
        "the most since its start, all objects made",
    );
    table.add(
        "rest_processor_percent",
        window.processor_percent,
        "% of a core",
        Bar::Below(1.0),
        "user space and kernel",
    );
}

/// How pods were asked: often enough, with answers, how fast.
fn samples(window: &Window, table: &mut Table, [often, failures, latency]: [&'static str; 3]) {
    table.add(
        often,
        window.samples_per_pod(PODS),
        "per pod and 5 s",
        Bar::AtLeast(0.9),
        "`samples_total`: what rests is sampled",
    );
    table.add(
        failures,
        window.grew("samples_total", "\"error\""),
        "requests",
        Bar::AtMost(0.0),
        "`samples_total`",
    );
    table.add(
        latency,
        window.mean_ms("sample_duration_seconds"),
        "ms",
        None,
        "mean of `sample_duration_seconds`",
    );
}

async fn in_sync(cluster: &Cluster, operator: &Operator, long: Duration, table: &mut Table) {
    let window = Window::of(cluster, operator, long).await;
    written_in_sync(&window, table);
    table.add(
        "sync_resident_mib",
        window.resident_mib,
        "MiB",
        Bar::Below(40.0),
        "the most",
    );
    table.add(
        "sync_processor_percent",
        window.processor_percent,
        "% of a core",
        None,
        "samples every 2 s, and a pass every 30 s",
    );
    samples(
        &window,
        table,
        ["sync_samples", "sync_sample_failures", "sync_sample_ms"],
    );
    table.add(
        "sync_queue_age_s",
        window.queue_age_seconds,
        "s",
        Bar::AtMost(5.0),
        "the most that `queue_age_seconds` said",
    );
    table.add(
        "sync_pass_ms",
        window.mean_ms("reconcile_duration_seconds"),
        "ms",
        None,
        "mean of `reconcile_duration_seconds`",
    );
}

fn written_in_sync(window: &Window, table: &mut Table) {
    let seconds = window.took.as_secs_f64();
    let statuses = || window.writes.iter().filter(|write| write.resource == "indexers/status");
    table.add(
        "sync_status_writes",
        count(statuses().count()) / count(INDEXERS) / (seconds / 30.0),
        "per Indexer and 30 s",
        Bar::AtMost(1.0),
        format!("all sync, a block a second, {seconds:.0} s: {}", window.written()),
    );
    let mut times: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for write in statuses() {
        times.entry(&write.name).or_default().push(write.received);
    }
    let gaps = times
        .values()
        .flat_map(|times| times.windows(2).map(|two| gap(two[0], two[1])));
    table.add(
        "sync_least_pause_s",
        gaps.fold(f64::INFINITY, f64::min).min(seconds),
        "s",
        Bar::AtLeast(30.0 - SLACK_SECONDS),
        "the shortest between two status writes of one Indexer",
    );
    table.add(
        "sync_indexers_shown",
        count(times.len()),
        "Indexers",
        Bar::AtLeast(if seconds > 40.0 { count(INDEXERS) } else { 0.0 }),
        "whose new height was shown",
    );
    table.add(
        "sync_other_writes",
        count(window.writes.len() - statuses().count()),
        "writes",
        Bar::AtMost(0.0),
        "what is no status",
    );
    table.add(
        "sync_writes_metric_off_by",
        (window.grew("api_writes_total", "") - count(window.writes.len())).abs(),
        "writes",
        // Both are read one after the other, and writes go on meanwhile.
        Bar::AtMost(5.0),
        "`api_writes_total` against the audit log",
    );
}

fn gap(first: Timestamp, second: Timestamp) -> f64 {
    second.duration_since(first).as_secs_f64()
}
