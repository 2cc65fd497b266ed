use serde_json::json;

use crate::stage::{MIB, START, Stage, files, got};

const N: &str = "0x6e";
const P: &str = "0x70";

/// The number of the last change RocksDB has made, as another reader of the same files finds it.
fn sequence(stage: &Stage) -> u64 {
    let families = ["blocks", "segments", "meta"];
    let folder = stage.folder.path().join("rocksdb");
    let mut options = rocksdb::Options::default();
    // As the store has it: opened without, for reading only, RocksDB stumbles over the logs it noted.
    options.set_track_and_verify_wals_in_manifest(true);
    let db = rocksdb::DB::open_cf_for_read_only(&options, folder, families, false);
    db.unwrap().latest_sequence_number()
}

/// Contract §6: the block runs at height + 1 on what the parent left, and the view after it at the same height.
#[tokio::test]
async fn a_preview_sees_the_parents_state_and_its_own_block() {
    let stage = Stage::up_to(START + 5, |_| {});
    for (parent, height) in [
        (json!(null), START + 6),
        (json!("latest"), START + 6),
        (json!(START + 5), START + 6),
        (json!(START + 500), START + 6),
        (json!(START + 2), START + 3),
        (json!(START), START + 1),
    ] {
        let answer = stage.call("metashrew_preview", json!(["0x00", "get", N, parent])).await;
        assert_eq!(answer, got(height, height - START + 1), "{parent}");
    }
    let now = stage.call("metashrew_view", json!(["get", N])).await;
    assert_eq!(now, got(START + 5, 6), "no other query sees it");
    let count = stage.metric(r#"shrewd_indexer_views_total{function="get",outcome="ok"}"#);
    assert_eq!(count.as_deref(), Some("7"), "previews count as the views they run");
}

/// Contract §8.6, on RocksDB.
#[tokio::test]
async fn a_preview_leaves_the_database_byte_identical() {
    let mut stage = Stage::up_to(START + 3, |_| {});
    stage.store.flush().unwrap();
    let numbered = sequence(&stage);
    let before = files(stage.folder.path());
    assert!(before.len() > 4, "{before:?}");
    let block = "00".repeat(4_000_000);
    for (block, parent) in [
        ("0x00", START + 3),
        (block.as_str(), START + 3),
        ("0x04", START),
        ("0x02", START),
    ] {
        let _ = stage.call("metashrew_preview", json!([block, "get", N, parent])).await;
    }
    assert_eq!(files(stage.folder.path()), before);
    assert_eq!(sequence(&stage), numbered);
    // The same looks notice a block.
    stage.index(START + 4);
    assert_ne!(files(stage.folder.path()), before);
    assert!(sequence(&stage) > numbered);
}

/// Contract §6: blocks of 4 MB fit, with the limits a resource has by default.
#[tokio::test]
async fn a_block_of_four_megabytes_is_previewed() {
    let stage = Stage::up_to(START, |_| {});
    let block = format!("0x{}", "00".repeat(4_000_000));
    let answer = stage.call("metashrew_preview", json!([block, "get", N])).await;
    assert_eq!(answer, got(START + 1, 2));
}

#[tokio::test]
async fn a_block_that_fails_is_the_error_of_the_preview() {
    let stage = Stage::up_to(START, |_| {});
    let (code, message) = stage
        .call("metashrew_preview", json!(["0x02", "get", N]))
        .await
        .unwrap_err();
    assert_eq!(code, -32000);
    assert!(
        message.starts_with("block 101 of the preview: ") && message.contains("unreachable"),
        "{message}"
    );
    let (code, message) = stage
        .call("metashrew_preview", json!(["0x00", "nope", N]))
        .await
        .unwrap_err();
    assert!(code == -32602 && message.contains("nope"), "{message}");
}

/// Contract §8.13, for both runs of a preview.
#[tokio::test]
async fn a_preview_that_never_ends_is_stopped_in_either_run() {
    let stage = Stage::up_to(START, |limits| limits.views.timeout_ms = 200);
    for params in [json!(["0x01", "get", N]), json!(["0x00", "spin", N])] {
        let (code, message) = stage.call("metashrew_preview", params.clone()).await.unwrap_err();
        assert_eq!(
            (code, message.as_str()),
            (
                -32002,
                "the view did not end within 200 ms, the wait for its turn included (views.timeout, --view-timeout)"
            ),
            "{params}"
        );
    }
}

/// Contract §8.9: what a guest is refused is part of what it writes, so a preview refuses what indexing would.
#[tokio::test]
async fn a_preview_is_refused_memory_at_the_limit_of_indexing() {
    let stage = Stage::up_to(START, |limits| limits.limit_bytes = 8 * MIB);
    let answer = stage.call("metashrew_preview", json!(["0x03", "get", P])).await;
    assert_eq!(answer, got(START + 1, 8 * 16));
}

#[tokio::test]
async fn a_preview_that_needs_more_memory_than_a_view_may_have_is_stopped() {
    let stage = Stage::up_to(START, |limits| {
        limits.limit_bytes = 64 * MIB;
        limits.views.memory_limit_bytes = 6 * MIB;
    });
    assert_eq!(
        stage.call("metashrew_preview", json!(["0x00", "get", N])).await,
        got(START + 1, 2)
    );
    let (code, message) = stage
        .call("metashrew_preview", json!(["0x03", "get", P]))
        .await
        .unwrap_err();
    assert!(
        code == -32002 && message.contains("a preview may take 6291456 (views.memoryLimit)"),
        "{message}"
    );
    let (code, message) = stage
        .call("metashrew_preview", json!(["0x04", "get", N]))
        .await
        .unwrap_err();
    assert!(
        code == -32002 && message.contains("flushed more than 6291456 bytes"),
        "{message}"
    );
}
