//! A manifest that leaves the repository.

use anyhow::{Result, ensure};
use crds::Indexer;
use e2e::{manifest::Manifest, node::Node, trial::in_namespace, wait};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod},
};
use kube::api::ListParams;

use crate::team::{Team, documents};

#[tokio::test]
async fn an_indexer_that_leaves_the_repository_leaves_the_cluster_and_disturbs_no_other() -> Result<()> {
    const HEIGHT: u32 = 40;
    in_namespace("flux-prune", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let stays = documents(namespace, "plain", &Manifest::of("plain").named("stays"))?;
        let goes = documents(
            namespace,
            "leaky",
            &Manifest::of("leaky").named("goes").delete_volumes(),
        )?;
        let team = Team::with(namespace, &[("stays.yaml", stays), ("goes.yaml", goes)]).await?;
        team.flux.applied(&team.commit).await?;
        let stays = team.index("stays");
        let before = (stays.get().await?.metadata.uid, stays.pod().await?.metadata.uid);

        team.repository.remove("goes.yaml")?;
        let commit = team.repository.push("Remove goes").await?;
        team.flux.applied(&commit).await?;
        ensure!(
            namespace.api::<Indexer>().get_opt("goes").await?.is_none(),
            "the Indexer is there"
        );
        let of_goes = ListParams::default().labels("shrewd.dev/indexer=goes");
        wait::until("nothing of it is left", wait::PATIENCE, async || {
            let sets = namespace.api::<StatefulSet>().list(&of_goes).await?.items.len();
            let pods = namespace.api::<Pod>().list(&of_goes).await?.items.len();
            let modules = namespace.api::<ConfigMap>().list(&ListParams::default()).await?;
            let modules = modules
                .iter()
                .filter_map(|m| m.metadata.name.as_deref())
                .filter(|m| m.starts_with("leaky"))
                .count();
            ensure!(
                (sets, pods, modules) == (0, 0, 0),
                "{sets} sets, {pods} pods, {modules} modules"
            );
            Ok(())
        })
        .await?;

        let after = (stays.get().await?.metadata.uid, stays.pod().await?.metadata.uid);
        ensure!(after == before, "the other one was recreated");
        node.mine_to(HEIGHT + 2).await?;
        stays.follows_to(HEIGHT + 2).await?;
        Ok(())
    })
    .await
}
