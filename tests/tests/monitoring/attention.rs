//! A spec with a flaw that no pod can report by itself.

use anyhow::Result;
use e2e::{manifest::Manifest, node::Node, trial::in_namespace};
use serde_json::json;

use crate::{SOON, alert};

#[tokio::test]
async fn a_module_with_another_digest_needs_attention_until_the_spec_has_the_right_one() -> Result<()> {
    in_namespace("attention", async |namespace| {
        let attention = alert(namespace, "ShrewdIndexerNeedsAttention", "warning");
        let _node = Node::start(namespace, 5).await?;
        let manifest = Manifest::of("plain");
        let wrong = manifest.clone().with("module", "sha256", json!("00".repeat(32)));
        wrong.apply(namespace).await?;
        attention.fires(SOON).await?;
        manifest.apply(namespace).await?;
        attention.ends(SOON * 2).await
    })
    .await
}
