//! The successor of a pod that was deleted by force starts while the process before it still runs.

use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::{full_pod::config, node::Node, process::start_configured};

/// How long the two are there at once.
const TOGETHER: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_successor_waits_until_the_data_is_free() {
    let folder = tempdir().unwrap();
    let mut node = Node::start();
    let tip = node.mine(5);
    let config = config(folder.path(), &node, "data");
    let mut first = start_configured(config.clone());
    first.wait_for_tip(tip).await;

    let mut second = start_configured(config);
    let together = Instant::now();
    while together.elapsed() < TOGETHER {
        let status = second.status().await;
        assert_eq!(status.and_then(|status| status.height), None, "the data is in use");
        first.wait_for_tip(tip).await;
    }
    first.terminate();
    assert!(first.exit().await.success());
    second.wait_for_tip(tip).await;
    let log = second.log();
    assert!(log.contains("waits for the data"), "{log}");
}
