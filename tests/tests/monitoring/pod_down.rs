//! A process that ends again and again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{
    manifest::Manifest,
    node::Node,
    pod::{is_running, kill_process},
    trial::in_namespace,
};
use tokio::time::sleep;

use crate::{FIVE_MINUTES, alert};

const PAUSE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_process_that_is_killed_again_and_again_is_down_until_it_is_left_alone() -> Result<()> {
    in_namespace("killed", async |namespace| {
        let down = alert(namespace, "ShrewdIndexerPodDown", "warning");
        let _node = Node::start(namespace, 5).await?;
        let index = Manifest::of("plain").apply(namespace).await?;
        index.follows_to(5).await?;
        let begun = Instant::now();
        while !down.is_firing().await? {
            ensure!(begun.elapsed() < FIVE_MINUTES, "the alert does not fire");
            let pod = index.pod().await?;
            // It may end by itself in between.
            if is_running(&pod)
                && let Err(error) = kill_process(&pod)
            {
                println!("not killed: {error:#}");
            }
            sleep(PAUSE).await;
        }
        println!(
            "ShrewdIndexerPodDown, warning, fires after {} s",
            begun.elapsed().as_secs()
        );
        down.follow_runbook().await?;
        // The kubelet waits up to five minutes until it starts it again.
        down.ends(FIVE_MINUTES * 2).await
    })
    .await
}
