//! A node that is drained, and one that stops with everything on it. The operator is moved away from it first, so this
//! runs alone: cargo runs test files one after the other.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::{Indexer, Phase, PodRow, conditions::types};
use e2e::{
    asker::Asker,
    index::{Index, Says},
    kubectl::kubectl,
    machine,
    manifest::Manifest,
    node::Node,
    nodes::Nodes,
    operators::Operators,
    pod::{is_ready, node_of, restarts},
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;

const HEIGHT: u32 = 5;
const DRAINED: Duration = Duration::from_secs(120);
/// How long the node is gone: Kubernetes takes 40 s to notice.
const GONE: Duration = Duration::from_secs(75);
/// How long clients ask, in seconds: the drain and what is waited for after it.
const ASKED: u64 = 240;

#[tokio::test]
async fn a_drain_ends_and_a_node_that_stops_concerns_nobody_else() -> Result<()> {
    in_namespace("nodes", async |namespace| {
        let nodes = Nodes::of(&namespace.cluster).await?;
        let operators = Operators::one_on(&namespace.cluster, &nodes.control_plane)?;
        let tested: Result<()> = async {
            Node::start_on(namespace, &nodes.control_plane, HEIGHT).await?;
            let spread = Manifest::of("plain").named("spread").set("replicas", json!(2));
            let spread = tolerating(spread).apply(namespace).await?;
            let elsewhere = tolerating(Manifest::of("plain").named("elsewhere"));
            let elsewhere = elsewhere
                .with(
                    "placement",
                    "nodeSelector",
                    json!({"kubernetes.io/hostname": nodes.control_plane}),
                )
                .apply(namespace)
                .await?;
            elsewhere.follows_to(HEIGHT).await?;
            spread.wait_until("both pods are ready", |i| ready(i) == 2).await?;
            spread.follows_to(HEIGHT).await?;
            a_drain_ends_within_the_budget(&spread, &nodes.worker).await?;
            a_node_that_stops(&spread, &elsewhere, &nodes.worker).await
        }
        .await;
        // Whatever happens in between: other tests need them.
        machine::resume(&nodes.worker)?;
        kubectl(&namespace.cluster, &["uncordon", &nodes.worker])?;
        operators.anywhere()?;
        tested
    })
    .await
}

fn tolerating(manifest: Manifest) -> Manifest {
    manifest.with("placement", "tolerations", json!([{"operator": "Exists"}]))
}

async fn a_drain_ends_within_the_budget(index: &Index, worker: &str) -> Result<()> {
    let pod = pod_on(index, worker).await?;
    let asker = Asker::start(index, "get", b"height", HEIGHT, ASKED).await?;
    let selector = index.selector().await?;
    let timeout = format!("--timeout={}s", DRAINED.as_secs());
    kubectl(
        &index.namespace.cluster,
        &[
            "drain",
            worker,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            &timeout,
            "--pod-selector",
            &selector,
        ],
    )?;
    // Its volume is on that node, so the pod waits for it; the other one serves.
    wait::until("a new pod waits for the node", wait::PATIENCE, async || {
        let again = index.namespace.api::<Pod>().get(&pod.name_any()).await?;
        ensure!(again.uid() != pod.uid() && !is_ready(&again), "{:?}", again.status);
        Ok(())
    })
    .await?;
    ensure!(asker.asks_on().await?.failures == 0, "{:?}", asker.asked().await?);
    kubectl(&index.namespace.cluster, &["uncordon", worker])?;
    index.wait_until("both pods are ready again", |i| ready(i) == 2).await?;
    let asked = asker.asks_on().await?;
    ensure!(asked.failures == 0, "questions failed: {asked:?}");
    ensure!(pod_on(index, worker).await?.name_any() == pod.name_any(), "it moved");
    Ok(())
}

async fn a_node_that_stops(index: &Index, elsewhere: &Index, worker: &str) -> Result<()> {
    let pod = pod_on(index, worker).await?;
    let before = elsewhere.get().await?;
    machine::stop(worker)?;
    index
        .wait_until("its pod is not known any more", |i| {
            row(i, &pod).is_some_and(|row| row.phase == Phase::Unknown) && ready(i) == 1
        })
        .await?;
    wait::throughout("nothing is written of others", GONE, async || {
        let now = elsewhere.get().await?;
        ensure!(
            now.resource_version() == before.resource_version(),
            "{} is not {}",
            serde_json::to_string(&now.status)?,
            serde_json::to_string(&before.status)?
        );
        Ok(())
    })
    .await?;
    let gone = index.get().await?;
    ensure!(
        gone.is_true(types::AVAILABLE) && gone.height() == Some(HEIGHT),
        "the other pod serves: {}",
        serde_json::to_string(&gone.status)?
    );
    machine::resume(worker)?;
    index
        .wait_until("it is back", |i| ready(i) == 2 && i.is_true(types::READY))
        .await?;
    let again = pod_on(index, worker).await?;
    ensure!(
        again.uid() == pod.uid() && restarts(&again) == restarts(&pod),
        "it was made again: {:?}",
        again.status
    );
    Ok(())
}

fn ready(indexer: &Indexer) -> i32 {
    indexer.status.as_ref().map_or(0, |status| status.ready_replicas)
}

fn row<'a>(indexer: &'a Indexer, pod: &Pod) -> Option<&'a PodRow> {
    let rows = &indexer.status.as_ref()?.pods;
    rows.iter().find(|row| row.name == pod.name_any())
}

async fn pod_on(index: &Index, node: &str) -> Result<Pod> {
    let pods = index.pods().await?;
    let found = pods.into_iter().find(|pod| node_of(pod).is_ok_and(|of| of == node));
    found.with_context(|| format!("no pod is on {node}"))
}
