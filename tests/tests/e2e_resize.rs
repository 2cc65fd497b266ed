//! Memory that follows what a guest needs, while it runs. The node must have a gibibyte to spare, so this runs alone:
//! cargo runs test files one after the other.

use anyhow::{Context as _, Result, ensure};
use crds::{ByteSize, conditions::types};
use e2e::{
    index::{Index, Says as _},
    manifest::Manifest,
    node::Node,
    pod::restarts,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};
use kube::{ResourceExt as _, api::DeleteParams};
use serde_json::json;

const MIB: u64 = 1 << 20;
/// What pods begin with: enough for the process and a few blocks of the guest `leaky`, which grows by a mebibyte with
/// each.
const FIRST_LIMIT: u64 = 192 * MIB;
const FIRST_HEIGHT: u32 = 30;
/// As it is at first, and as it is raised to: more than a pod may have at first.
const THRESHOLDS: [&str; 2] = ["64Mi", "400Mi"];
/// So the guest needs more than it was given when its pod began, and never reaches the threshold.
const HEIGHT: u32 = 360;

/// Its container's limit, as its spec has it and as the kubelet says that it is.
fn limits(pod: &Pod) -> Result<(u64, u64)> {
    let limit = |resources: Option<&ResourceRequirements>| {
        let quantity = resources?.limits.as_ref()?.get("memory")?;
        ByteSize(quantity.0.clone()).bytes().ok()
    };
    let spec = pod.spec.as_ref().context("a spec")?;
    let wanted = limit(spec.containers[0].resources.as_ref()).context("a limit")?;
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    let container = statuses.and_then(|all| all.first()).context("a container")?;
    Ok((
        wanted,
        limit(container.resources.as_ref()).context("no limit is in force yet")?,
    ))
}

/// Waits until the pod has more than this, also in its control group, and is the one that it was.
async fn has_more_than(index: &Index, bytes: u64, uid: Option<&String>) -> Result<u64> {
    wait::until(&format!("the limit is above {bytes}"), wait::PATIENCE, async || {
        let pod = index.pod().await?;
        ensure!(
            uid.is_none_or(|uid| pod.uid().as_ref() == Some(uid)),
            "it is another pod"
        );
        let (wanted, is) = limits(&pod)?;
        ensure!(wanted > bytes && is == wanted, "it is to have {wanted} and has {is}");
        Ok(is)
    })
    .await
}

#[tokio::test]
async fn a_leaky_guest_whose_threshold_was_raised_runs_through_without_a_restart() -> Result<()> {
    in_namespace("resize", async |namespace| {
        let node = Node::start(namespace, 3).await?;
        let views =
            json!({"memoryLimit": "16Mi", "maxConcurrent": 1, "maxRequestBytes": "1Mi", "maxResponseBytes": "1Mi"});
        let first = json!({"requests": {"memory": "64Mi"}, "limits": {"memory": format!("{}Mi", FIRST_LIMIT / MIB)}});
        let index = Manifest::of("leaky")
            .on_threshold(THRESHOLDS[0])
            .with("memory", "limit", json!("512Mi"))
            .with("memory", "resize", json!("InPlace"))
            .with("memory", "maxLimit", json!("1Gi"))
            .with("storage", "cache", json!("64Mi"))
            .set("views", views)
            .set("resources", first)
            .apply(namespace)
            .await?;
        index.starts().await?;
        let uid = index.pod().await?.uid();
        let resized = has_more_than(&index, FIRST_LIMIT, uid.as_ref()).await?;
        node.mine_to(FIRST_HEIGHT).await?;
        index.follows_to(FIRST_HEIGHT).await?;
        let pod = index.pod().await?;
        ensure!(pod.uid() == uid && restarts(&pod) == 0, "{:?}", pod.status);

        // A threshold is part of the pod's configuration: one new pod, and none after it.
        index.change(json!({"memory": {"threshold": THRESHOLDS[1]}})).await?;
        let raised = |indexer: &crds::Indexer| indexer.memory().threshold_bytes == 400 * MIB;
        let seen = index.wait_until("the new threshold in force", |i| i.is_true(types::READY) && raised(i));
        seen.await?;
        let uid = index.pod().await?.uid();
        let larger = has_more_than(&index, resized, uid.as_ref()).await?;
        ensure!(larger > 500 * MIB, "the guest may have 400Mi: {larger}");
        node.mine_to(HEIGHT).await?;
        let done = index.follows_to(HEIGHT).await?;
        let memory = done.memory();
        ensure!(
            memory.guest_peak_bytes > 300 * MIB && memory.refreshes.threshold == 0,
            "it needed no more: {memory:?}"
        );
        let pod = index.pod().await?;
        ensure!(pod.uid() == uid && restarts(&pod) == 0, "{:?}", pod.status);
        let recommendation = memory.recommendation.context("a recommendation")?;
        println!("{resized} bytes, then {larger}: {}", recommendation.reason);

        // Who is made later has it from the start.
        namespace
            .api::<Pod>()
            .delete(&pod.name_any(), &DeleteParams::default())
            .await?;
        wait::until("another pod", wait::PATIENCE, async || {
            let pod = index.pod().await?;
            ensure!(pod.uid() != uid && limits(&pod)?.0 == larger, "{:?}", pod.spec);
            Ok(())
        })
        .await?;
        index.follows_to(HEIGHT).await?;
        ensure!(restarts(&index.pod().await?) == 0, "it was restarted");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_that_has_far_too_much_gets_less_while_it_runs() -> Result<()> {
    const HEIGHT: u32 = 150;
    in_namespace("shrink", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let views =
            json!({"memoryLimit": "16Mi", "maxConcurrent": 1, "maxRequestBytes": "1Mi", "maxResponseBytes": "1Mi"});
        let index = Manifest::of("plain")
            .with("memory", "resize", json!("InPlace"))
            .with("memory", "maxLimit", json!("2Gi"))
            .with("storage", "cache", json!("64Mi"))
            .set("views", views)
            .set(
                "resources",
                json!({"requests": {"memory": "64Mi"}, "limits": {"memory": "1536Mi"}}),
            )
            .apply(namespace)
            .await?;
        index.follows_to(HEIGHT).await?;
        let uid = index.pod().await?.uid();
        wait::until("the limit is less", wait::PATIENCE, async || {
            let pod = index.pod().await?;
            ensure!(pod.uid() == uid && restarts(&pod) == 0, "{:?}", pod.status);
            let (wanted, is) = limits(&pod)?;
            ensure!(is == wanted && is < 1024 * MIB, "it is to have {wanted} and has {is}");
            Ok(())
        })
        .await?;
        let after = index.get().await?;
        ensure!(after.is_true(types::READY), "{:?}", after.status);
        Ok(())
    })
    .await
}
