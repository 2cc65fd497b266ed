//! A pod that carries an Indexer's labels without being one of its pods.

use anyhow::{Result, ensure};
use crds::{
    Indexer,
    conditions::{reasons, types},
};
use e2e::{
    events,
    forged::forge,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    recording::Recording,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};

const HEIGHT: u32 = 30;
const FORGED: &str = "forged";

#[tokio::test]
async fn a_forged_pod_is_named_in_an_event_and_neither_listed_nor_compared() -> Result<()> {
    in_namespace("forged", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("plain").named("one").apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        let (real, mut report) = (index.pod().await?, index.report().await?);
        let statuses = Recording::start(namespace.api::<Indexer>(), ListParams::default()).await?;

        // If its digest counted, the two pods would differ.
        report.digest = Some("00".repeat(32));
        forge(&index, FORGED, &real, &report).await?;
        wait::until("an event names it", wait::PATIENCE, async || {
            let events = events::of_the_operator(namespace).await?;
            let notes: Vec<_> = events.iter().map(|event| event.message.as_deref()).collect();
            ensure!(events.iter().any(|event| events::names(event, FORGED)), "{notes:?}");
            Ok(())
        })
        .await?;
        could_be_queried(&index).await?;
        node.mine_to(HEIGHT + 1).await?;
        index.follows_to(HEIGHT + 1).await?;

        for state in statuses.end().await? {
            is_untouched(&state)?;
        }
        Ok(())
    })
    .await
}

/// It must be ready, so that the operator could query it.
async fn could_be_queried(index: &Index) -> Result<()> {
    wait::until("the forged pod is ready", wait::PATIENCE, async || {
        let pod = index.namespace.api::<Pod>().get(FORGED).await?;
        ensure!(e2e::pod::is_ready(&pod), "{:?}", pod.status);
        ensure!(pod.owner_references().is_empty(), "it was adopted");
        Ok(())
    })
    .await
}

fn is_untouched(state: &Indexer) -> Result<()> {
    let pods = state.status.iter().flat_map(|status| &status.pods);
    for pod in pods {
        ensure!(pod.name != FORGED, "it is listed: {pod:?}");
    }
    ensure!(
        !state.is_false(types::CONSISTENT, reasons::DIGESTS_DIFFER) && !state.is_true(types::STALLED),
        "its digest was compared: {:?}",
        state.status
    );
    Ok(())
}
