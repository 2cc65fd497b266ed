//! What cannot work is refused by the API server, or soon reported in a condition.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::{
    conditions::types,
    pod::{module_reasons, source_reasons},
};
use e2e::{
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    trial::in_namespace,
};
use futures::try_join;
use serde_json::{Value, json};

/// Counted from the start of the container: how long a volume takes is up to the cluster.
const PROMISED: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_spec_that_cannot_work_is_refused_with_the_rule_it_breaks() -> Result<()> {
    in_namespace("refused", async |namespace| {
        let plain = || Manifest::of("plain");
        let cases: [(Manifest, &str); 3] = [
            (
                plain().with("chain", "network", json!("dogecoin")),
                "spec.chain.network",
            ),
            (
                plain().with("memory", "threshold", json!("512Mi")),
                "memory.threshold must not exceed memory.limit",
            ),
            (
                plain().with("module", "path", json!("./plain.wasm")),
                "exactly one of module.configMap, module.http, module.oci and module.path",
            ),
        ];
        for (manifest, words) in cases {
            let Err(refusal) = manifest.apply(namespace).await else {
                anyhow::bail!("the API server accepted what should be refused with {words:?}");
            };
            ensure!(
                format!("{refusal:#}").contains(words),
                "{words:?} is not in {refusal:#}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_module_that_cannot_run_is_named_in_a_condition() -> Result<()> {
    in_namespace("module", async |namespace| {
        let restarts = namespace.cluster.operator_restarts().await?;
        let _node = Node::start(namespace, 5).await?;
        let wrong_digest = Manifest::of("plain").with("module", "sha256", json!("00".repeat(32)));
        try_join!(
            async { condemned(&wrong_digest.apply(namespace).await?, module_reasons::DIGEST_MISMATCH).await },
            async {
                condemned(
                    &no_wasm().apply_with(namespace, b"\x7fELF").await?,
                    module_reasons::NOT_WASM,
                )
                .await
            },
            async {
                condemned(
                    &Manifest::of("no-start").apply(namespace).await?,
                    module_reasons::MISSING_EXPORT,
                )
                .await
            },
        )?;
        ensure!(
            namespace.cluster.operator_restarts().await? == restarts,
            "the operator was restarted"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_missing_secret_is_named_in_a_condition() -> Result<()> {
    in_namespace("secret", async |namespace| {
        let restarts = namespace.cluster.operator_restarts().await?;
        let node = Node::start(namespace, 5).await?;
        let url = e2e::node::URL;
        let source: Value = json!({"bitcoind": {"urls": [url], "authSecretRef": {"name": "missing"}}});
        let index = Manifest::of("plain")
            .with("chain", "source", source)
            .apply(namespace)
            .await?;
        index.starts().await?;
        let missing = |i: &crds::Indexer| i.is_false(types::CHAIN_SOURCE_READY, source_reasons::CREDENTIALS_MISSING);
        index.wait_within(PROMISED, "ChainSourceReady=False", missing).await?;
        ensure!(node.rpc.tip().await?.height == 5, "the node itself is not well");
        ensure!(
            namespace.cluster.operator_restarts().await? == restarts,
            "the operator was restarted"
        );
        Ok(())
    })
    .await
}

fn no_wasm() -> Manifest {
    Manifest::of("no-wasm")
}

async fn condemned(index: &Index, reason: &str) -> Result<()> {
    index.starts().await?;
    let what = format!("ModuleVerified=False, {reason}");
    let named = index
        .wait_within(PROMISED, &what, |i| i.is_false(types::MODULE_VERIFIED, reason))
        .await?;
    ensure!(
        !named.is_true(types::READY),
        "it is ready with a module that cannot run"
    );
    Ok(())
}
