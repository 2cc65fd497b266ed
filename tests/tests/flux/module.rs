//! A module that comes from a registry.

use anyhow::{Context, Result, ensure};
use crds::{conditions::types, pod::module_reasons};
use e2e::{index::Says, manifest::Manifest, node::Node, registry::Registry, trial::in_namespace};

use crate::team::{Team, documents};

#[tokio::test]
async fn a_module_is_pulled_from_a_registry_by_digest_as_soon_as_the_pull_secret_is_there() -> Result<()> {
    const HEIGHT: u32 = 40;
    const SECRET: &str = "pull";
    in_namespace("flux-module", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let registry = Registry::find(&namespace.cluster).await?;
        let image = registry
            .push(&namespace.name, &namespace.cluster.guest("plain")?)
            .await?;
        let pulled = documents(namespace, "plain", &Manifest::of("plain").pulled_from(&image, SECRET))?;
        let team = Team::with(namespace, &[("plain.yaml", pulled)]).await?;
        let index = team.index("plain");
        let locked_out = index
            .wait_until("the registry refuses", |i| {
                i.is_false(types::MODULE_VERIFIED, module_reasons::FETCH_FAILED)
            })
            .await?;
        let verdict = locked_out.condition(types::MODULE_VERIFIED).context("it was there")?;
        ensure!(verdict.message.contains("HTTP 401"), "{verdict:?}");

        registry.pull_secret(namespace, SECRET).await?;
        team.flux.applied(&team.commit).await?;
        let delivered = index.get().await?;
        ensure!(delivered.height() == Some(HEIGHT), "{:?}", delivered.status);
        Ok(())
    })
    .await
}
