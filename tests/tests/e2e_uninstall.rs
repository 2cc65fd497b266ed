//! The product is removed in either order, and installed again: pods serve while there is no operator, and what
//! is retained is continued. All Indexers of the cluster go with their definition, so this runs alone: cargo runs test
//! files one after the other.

use anyhow::{Result, ensure};
use crds::Indexer;
use e2e::{
    index::Index, kubectl::kubectl, manifest::Manifest, namespace::Namespace, node::Node, operators::Operators,
    trial::in_namespace, wait,
};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Pod, Service},
};
use kube::{ResourceExt, api::ListParams};

const HEIGHT: u32 = 12;
const DEFINITION: &str = "indexers.shrewd.dev";

#[derive(Clone, Copy, Debug)]
enum Order {
    OperatorFirst,
    DefinitionFirst,
}

#[tokio::test]
async fn what_is_retained_is_continued_whatever_was_removed_first() -> Result<()> {
    in_namespace("removed", async |namespace| {
        Node::start(namespace, HEIGHT).await?;
        let operators = Operators::installed(&namespace.cluster)?;
        let mut tested = Ok(());
        for order in [Order::OperatorFirst, Order::DefinitionFirst] {
            tested = removed_and_back(namespace, &operators, order).await;
            if tested.is_err() {
                break;
            }
        }
        // Whatever happens in between: other tests need it.
        operators.install()?;
        tested
    })
    .await
}

async fn removed_and_back(namespace: &Namespace, operators: &Operators<'_>, order: Order) -> Result<()> {
    let retained = Manifest::of("plain").named("retained");
    let deleted = Manifest::of("plain").named("deleted").delete_volumes();
    let index = retained.apply(namespace).await?;
    deleted.apply(namespace).await?.follows_to(HEIGHT).await?;
    let before = index.follows_to(HEIGHT).await?;
    let (claims, pods) = (claims(namespace, "retained").await?, pods(namespace).await?);
    ensure!(claims.len() == 1 && pods.len() == 2, "{claims:?} {pods:?}");

    match order {
        Order::OperatorFirst => {
            operators.uninstall()?;
            serves_on(&index, &pods).await?;
            delete_definition(namespace)?;
            are_gone(namespace).await?;
        }
        Order::DefinitionFirst => {
            delete_definition(namespace)?;
            are_gone(namespace).await?;
            operators.uninstall()?;
        }
    }
    ensure!(self::claims(namespace, "retained").await? == claims, "volumes changed");
    ensure!(self::claims(namespace, "deleted").await?.is_empty(), "a volume is left");

    operators.install()?;
    let again = retained.apply(namespace).await?.follows_to(HEIGHT).await?;
    ensure!(digest(&again) == digest(&before), "{:?}", again.status);
    ensure!(
        self::claims(namespace, "retained").await? == claims,
        "it has other volumes"
    );
    Ok(())
}

/// Pods need no operator to serve.
async fn serves_on(index: &Index, pods: &[String]) -> Result<()> {
    let value = index.view_of_pod("get", b"height", HEIGHT).await?;
    ensure!(value == HEIGHT.to_le_bytes(), "{value:?}");
    ensure!(self::pods(&index.namespace).await? == pods, "pods changed");
    Ok(())
}

fn delete_definition(namespace: &Namespace) -> Result<()> {
    kubectl(&namespace.cluster, &["delete", "crd", DEFINITION, "--timeout=120s"]).map(drop)
}

/// All that belonged to Indexers goes with them.
async fn are_gone(namespace: &Namespace) -> Result<()> {
    let labelled = ListParams::default().labels("shrewd.dev/indexer");
    wait::until("nothing of Indexers is left", wait::PATIENCE, async || {
        let sets = namespace.api::<StatefulSet>().list(&labelled).await?.items.len();
        let services = namespace.api::<Service>().list(&labelled).await?.items.len();
        let pods = namespace.api::<Pod>().list(&labelled).await?.items.len();
        let claims = claims(namespace, "deleted").await?.len();
        ensure!(
            [sets, services, pods, claims] == [0; 4],
            "{sets} {services} {pods} {claims}"
        );
        Ok(())
    })
    .await
}

/// Unique ids of an Indexer's claims.
async fn claims(namespace: &Namespace, indexer: &str) -> Result<Vec<String>> {
    let labelled = ListParams::default().labels(&format!("shrewd.dev/indexer={indexer}"));
    let claims = namespace.api::<PersistentVolumeClaim>().list(&labelled).await?;
    Ok(claims.iter().filter_map(ResourceExt::uid).collect())
}

/// Unique ids of the pods of Indexers.
async fn pods(namespace: &Namespace) -> Result<Vec<String>> {
    let labelled = ListParams::default().labels("shrewd.dev/indexer");
    let pods = namespace.api::<Pod>().list(&labelled).await?;
    Ok(pods.iter().filter_map(ResourceExt::uid).collect())
}

fn digest(indexer: &Indexer) -> Option<&String> {
    indexer.status.as_ref()?.active.as_ref()?.digest.as_ref()
}
