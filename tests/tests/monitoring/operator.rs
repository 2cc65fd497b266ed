//! Passes of the operator that fail, and an Indexer that another one has.

use anyhow::Result;
use crds::Indexer;
use e2e::{cluster::Cluster, manifest::Manifest, prometheus::Alert, trial::in_namespace};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{FIVE_MINUTES, SOON, TEN_MINUTES};

/// One about the operator, which is in no namespace of a test.
fn alert(cluster: &Cluster, name: &'static str, severity: &'static str) -> Alert {
    Alert::of(cluster, name, severity, r#"namespace!="""#)
}

#[tokio::test]
async fn passes_over_an_object_that_is_refused_fail_until_the_spec_is_mended() -> Result<()> {
    in_namespace("refused", async |namespace| {
        let fails = alert(&namespace.cluster, "ShrewdOperatorFails", "warning");
        // Only a NetworkPolicy can judge it.
        let bad = json!({"clients": [{"ipBlock": {"cidr": "10.0.0.0"}}]});
        let index = Manifest::of("plain").set("access", bad).apply(namespace).await?;
        // Prometheus may have begun after the first two, and the next one comes five minutes after them.
        fails.fires(FIVE_MINUTES).await?;
        index.change(json!({"access": null})).await?;
        // Ten minutes after the last one.
        fails.ends(TEN_MINUTES * 3).await
    })
    .await
}

#[tokio::test]
async fn an_indexer_of_an_installation_that_is_gone_is_left_alone_until_its_name_is_taken_out() -> Result<()> {
    in_namespace("left-alone", async |namespace| {
        let left_alone = alert(&namespace.cluster, "ShrewdOperatorLeavesIndexersAlone", "warning");
        let suspended = Manifest::of("plain").set("suspend", json!(true));
        let index = suspended.apply(namespace).await?;
        index.wait_until("it is looked after", |i| i.status.is_some()).await?;
        let indexers = namespace.api::<Indexer>();
        let belongs_to = async |operator: serde_json::Value| {
            let patch = Patch::Merge(json!({"status": {"operator": operator}}));
            indexers
                .patch_status(&index.name, &PatchParams::default(), &patch)
                .await
        };
        belongs_to(json!({"installation": "elsewhere/shrewd"})).await?;
        left_alone.fires(SOON).await?;
        belongs_to(json!(null)).await?;
        left_alone.ends(SOON).await
    })
    .await
}
