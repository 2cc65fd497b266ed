//! An outage of the registry. Other tests need it, so this runs alone: cargo runs test files one after the other.

use anyhow::{Context, Result, ensure};
use crds::{conditions::types, pod::module_reasons};
use e2e::{
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    pod::restarts,
    registry::Registry,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;

const SECRET: &str = "pull";
const HEIGHT: u32 = 40;

#[tokio::test]
async fn while_the_registry_is_down_new_pods_wait_for_it_and_others_continue() -> Result<()> {
    in_namespace("flux-registry", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let registry = Registry::find(&namespace.cluster).await?;
        registry.pull_secret(namespace, SECRET).await?;
        let image = registry
            .push(&namespace.name, &namespace.cluster.guest("plain")?)
            .await?;
        let manifest = Manifest::of("plain").pulled_from(&image, SECRET);
        let running = manifest.clone().named("running").apply(namespace).await?;
        running.follows_to(HEIGHT).await?;

        registry.stop().await?;
        // Whatever happens in between, the registry comes back: other tests need it.
        let outage = async {
            let late = manifest.named("late").apply(namespace).await?;
            waits_for_the_registry(&late).await?;
            continues(&running, &node).await?;
            waits_for_the_registry(&late).await?;
            Ok::<_, anyhow::Error>(late)
        }
        .await;
        registry.restart().await?;
        outage?.follows_to(HEIGHT + 4).await?;
        Ok(())
    })
    .await
}

async fn waits_for_the_registry(index: &Index) -> Result<()> {
    let waits = |i: &crds::Indexer| i.is_false(types::MODULE_VERIFIED, module_reasons::FETCH_FAILED);
    let waiting = index.wait_until("waits for the registry", waits).await?;
    ensure!(!waiting.is_true(types::STALLED), "{:?}", waiting.status);
    ensure!(restarts(&index.pod().await?) == 0, "the pod does not wait, it restarts");
    Ok(())
}

/// A running pod needs no registry, and neither does its successor: the module is on the volume.
async fn continues(index: &Index, node: &Node) -> Result<()> {
    node.mine_to(HEIGHT + 2).await?;
    index.follows_to(HEIGHT + 2).await?;
    let pod = index.pod().await?;
    ensure!(restarts(&pod) == 0, "it was restarted");

    let name = pod.metadata.name.context("a pod has a name")?;
    index
        .namespace
        .api::<Pod>()
        .delete(&name, &DeleteParams::default())
        .await?;
    wait::until("another pod", wait::PATIENCE, async || {
        ensure!(index.pod().await?.metadata.uid != pod.metadata.uid, "it is the old one");
        Ok(())
    })
    .await?;
    node.mine_to(HEIGHT + 4).await?;
    index.follows_to(HEIGHT + 4).await?;
    Ok(())
}
