//! Who may reach the pods of an Indexer. That pods copy from each other under the same policy, `sibling` shows; that the
//! operator reads them, every test that waits for `Ready`.

use anyhow::{Context as _, Result, ensure};
use e2e::{knocker::Knocker, manifest::Manifest, node::Node, trial::in_namespace, wait};
use futures::try_join;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use serde_json::json;

#[tokio::test]
async fn each_port_is_reached_by_those_it_is_for_and_by_nobody_else() -> Result<()> {
    in_namespace("access", async |namespace| {
        in_namespace("scraper", async |scrapers| {
            let node = Node::start(namespace, 5).await?;
            let index = Manifest::of("plain").apply(namespace).await?;
            index.follows_to(5).await?;
            let pod = index.pod().await?;
            let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
            let address = address.context("the pod has an address")?;
            let [views, ops] = [crds::pod::RPC_PORT, crds::pod::OPS_PORT].map(|port| format!("{address}:{port}"));
            let both = [views.clone(), ops.clone()];
            let (stranger, client, scraper) = try_join!(
                Knocker::start(namespace, "stranger", json!({}), &both),
                Knocker::start(namespace, "client", json!({"role": "client"}), &both),
                Knocker::start(scrapers, "scraper", json!({}), &both),
            )?;
            try_join!(
                stranger.reaches_only(Some(&views)),
                client.reaches_only(Some(&views)),
                scraper.reaches_only(Some(&views))
            )?;

            let access = json!({
                "clients": [{"podSelector": {"matchLabels": {"role": "client"}}}],
                "metrics": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scrapers.name}}}],
            });
            index.change(json!({"access": access})).await?;
            try_join!(
                stranger.reaches_only(None),
                client.reaches_only(Some(&views)),
                scraper.reaches_only(Some(&ops))
            )?;
            // The operator reads the pod all the same.
            node.mine_to(6).await?;
            index.follows_to(6).await?;

            index.change(json!({"access": {"clients": []}})).await?;
            try_join!(
                stranger.reaches_only(None),
                client.reaches_only(None),
                scraper.reaches_only(Some(&ops))
            )?;

            // What is deleted by hand comes back, and without `access` queries are for anyone.
            namespace
                .api::<NetworkPolicy>()
                .delete(&index.name, &kube::api::DeleteParams::default())
                .await?;
            index.change(json!({"access": null})).await?;
            try_join!(
                stranger.reaches_only(Some(&views)),
                client.reaches_only(Some(&views)),
                scraper.reaches_only(Some(&views))
            )?;
            ensure!(index.pod().await?.uid() == pod.uid(), "the pod was replaced");
            index.follows_to(6).await?;
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_peer_that_selects_nobody_is_refused() -> Result<()> {
    in_namespace("peer", async |namespace| {
        let manifest = Manifest::of("plain").set("access", json!({"metrics": [{}]}));
        let Err(refusal) = manifest.apply(namespace).await else {
            anyhow::bail!("the API server accepted an empty peer");
        };
        let words = "each peer of access.metrics must have either";
        ensure!(format!("{refusal:#}").contains(words), "{refusal:#}");
        // One that only a NetworkPolicy can judge is named by its path.
        let index = Manifest::of("plain")
            .set("access", json!({"clients": [{"ipBlock": {"cidr": "10.0.0.0"}}]}))
            .apply(namespace)
            .await?;
        wait::until("the bad peer is named", wait::PATIENCE, async || {
            let status = serde_json::to_string(&index.get().await?.status)?;
            let path = "spec.ingress[1].from[1].ipBlock.cidr";
            ensure!(status.contains("ApplyFailed") && status.contains(path), "{status}");
            Ok(())
        })
        .await
    })
    .await
}
