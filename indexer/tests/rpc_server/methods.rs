use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::harness::{START, Server, TIP};

/// What `echo` answers for no input at a height.
fn ran_at(height: u32) -> Result<String, (i64, String)> {
    Ok(format!("0x{height:08x}"))
}

#[tokio::test]
async fn a_view_runs_at_the_height_asked_for_however_it_is_written() {
    let server = Server::new();
    let cases = [
        (json!(["echo", "0x"]), TIP),
        (json!(["echo", "", null]), TIP),
        (json!(["echo", "0x", "latest"]), TIP),
        (json!(["echo", "0x", 101]), 101),
        (json!(["echo", "0x", "101"]), 101),
        (json!(["echo", "0x", "101:0000abcd"]), 101),
        (json!(["echo", "0x", "latest:x"]), TIP),
        (json!(["echo", "0x", 104]), TIP),
        (json!(["echo", "0x", 5_000_000_000_u64]), TIP),
        (json!(["echo", "0x", "18446744073709551615"]), TIP),
    ];
    for (params, height) in cases {
        assert_eq!(
            server.call("metashrew_view", params.clone()).await,
            ran_at(height),
            "{params}"
        );
    }
}

#[tokio::test]
async fn input_goes_to_the_guest_with_and_without_its_prefix() {
    let server = Server::new();
    for input in ["0x00fF01", "00ff01"] {
        let answer = server.call("metashrew_view", json!(["echo", input])).await;
        assert_eq!(answer, Ok("0x0000006700ff01".into()));
    }
}

#[tokio::test]
async fn view_failures_have_the_codes_of_the_contract() {
    let server = Server::new();
    let cases = [
        ("fail", -32000, "balance: no such address"),
        ("limit", -32002, "the view was refused memory"),
        ("disk", -32001, "read the index: disk"),
        ("nope", -32602, "no view function \"nope\""),
        ("panic", -32001, "the view's thread ended"),
    ];
    for (function, code, message) in cases {
        let (found, text) = server
            .call("metashrew_view", json!([function, "0x"]))
            .await
            .unwrap_err();
        assert!(found == code && text.starts_with(message), "{function}: {found} {text}");
    }
}

/// Contract §6: the height of a preview is that of the parent.
#[tokio::test]
async fn a_preview_runs_one_above_the_parent_however_that_is_written() {
    let server = Server::new();
    let cases = [
        (json!(["0xAA", "echo", "0xbb"]), TIP),
        (json!(["aa", "echo", "bb", null]), TIP),
        (json!(["0xaa", "echo", "0xbb", "latest"]), TIP),
        (json!(["0xaa", "echo", "0xbb", 101]), 101),
        (json!(["0xaa", "echo", "0xbb", "101:x"]), 101),
        (json!(["0xaa", "echo", "0xbb", 5_000_000_000_u64]), TIP),
    ];
    for (params, parent) in cases {
        let answer = server.call("metashrew_preview", params.clone()).await;
        assert_eq!(answer, Ok(format!("0x{:08x}aabb", parent + 1)), "{params}");
    }
}

#[tokio::test]
async fn preview_failures_have_the_codes_of_views() {
    let server = Server::new();
    for (function, code) in [("fail", -32000), ("limit", -32002), ("disk", -32001), ("nope", -32602)] {
        let answer = server.call("metashrew_preview", json!(["0x00", function, "0x"])).await;
        assert_eq!(answer.unwrap_err().0, code, "{function}");
    }
    let empty = Server::with(None, |_| {});
    let answer = empty.call("metashrew_preview", json!(["0x00", "echo", "0x"])).await;
    assert_eq!(answer, Err((-32001, "nothing is indexed yet".into())));
    let count = server.metric(r#"shrewd_indexer_views_total{function="fail",outcome="guest_failed"}"#);
    assert_eq!(count.as_deref(), Some("1"), "a preview counts as the view it runs");
}

/// Contract §6: a block of 4 MB is 8 MB of hex, which the default of `views.maxRequestBytes` leaves room for.
#[tokio::test]
async fn the_largest_block_can_be_previewed_with_default_limits() {
    let views: crds::ViewsSpec = serde_json::from_value(json!({})).unwrap();
    let bytes_max = views.max_request_bytes.bytes().unwrap();
    let server = Server::with(Some(TIP), |views| views.max_request_bytes = bytes_max);
    let block = "ab".repeat(4_000_000);
    let answer = server
        .call("metashrew_preview", json!([format!("0x{block}"), "echo", "0x01"]))
        .await;
    assert_eq!(answer, Ok(format!("0x{:08x}{block}01", TIP + 1)));
}

#[tokio::test]
async fn an_answer_that_is_no_pointer_is_empty_and_counted() {
    let server = Server::new();
    assert_eq!(
        server.call("metashrew_view", json!(["malformed", "0x"])).await,
        Ok("0x".into())
    );
    assert_eq!(
        server.metric("shrewd_indexer_malformed_view_answers_total").as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn height_is_a_decimal_string_and_zero_while_nothing_is_indexed() {
    assert_eq!(
        Server::new().call("metashrew_height", json!([])).await,
        Ok("103".into())
    );
    assert_eq!(
        Server::with(None, |_| {}).call("metashrew_height", json!([])).await,
        Ok("0".into())
    );
}

#[tokio::test]
async fn a_block_hash_is_in_display_order() {
    let server = Server::new();
    let expected = format!("0x00000065{}", "00".repeat(28));
    for height in [json!(101), json!("101")] {
        assert_eq!(
            server.call("metashrew_getblockhash", json!([height])).await,
            Ok(expected.clone())
        );
    }
}

#[tokio::test]
async fn the_state_root_is_the_digest_at_the_height() {
    let server = Server::new();
    assert_eq!(
        server.call("metashrew_stateroot", json!([100])).await,
        Ok(format!("0x{}", "64".repeat(32)))
    );
    assert_eq!(
        server.call("metashrew_stateroot", json!(["latest"])).await,
        Ok(format!("0x{}", "67".repeat(32)))
    );
}

#[tokio::test]
async fn heights_that_are_not_indexed_are_errors_where_a_block_is_asked_for() {
    let server = Server::new();
    for method in ["metashrew_getblockhash", "metashrew_stateroot"] {
        for (height, words) in [
            (json!(0), "the first block of this index is 100"),
            (json!(START - 1), "the first block of this index is 100"),
            (json!(TIP + 1), "the last one is 103"),
            (json!(u64::MAX), "the last one is 103"),
        ] {
            let (code, message) = server.call(method, json!([height])).await.unwrap_err();
            assert!(
                code == -32001 && message.contains(words),
                "{method} {height}: {message}"
            );
        }
    }
    let empty = Server::with(None, |_| {});
    for (method, params) in [
        ("metashrew_stateroot", json!(["latest"])),
        ("metashrew_view", json!(["echo", "0x"])),
        ("metashrew_getblockhash", json!([1])),
    ] {
        assert_eq!(
            empty.call(method, params).await,
            Err((-32001, "nothing is indexed yet".into()))
        );
    }
}

#[tokio::test]
async fn a_snapshot_is_json_in_a_string_with_every_field_clients_read() {
    let text = Server::new().call("metashrew_snapshot", json!([])).await.unwrap();
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    let expected = json!({
        "enabled": false, "current_height": 103, "indexed_height": 103, "total_entries": 12,
        "storage_size_bytes": 3456, "sync_mode": "normal", "snapshots_created": 0, "snapshots_applied": 0,
        "last_snapshot_height": 0, "blocks_synced_normally": 4, "blocks_synced_from_snapshots": 0
    });
    assert_eq!(snapshot, expected);
}

/// Contract §8.17.
#[tokio::test]
async fn missing_and_wrong_parameters_are_named() {
    let server = Server::new();
    let cases = [
        ("metashrew_view", json!([]), "function is missing"),
        ("metashrew_view", json!({}), "function is missing"),
        ("metashrew_view", Value::Null, "function is missing"),
        ("metashrew_view", json!(["echo"]), "input is missing"),
        ("metashrew_view", json!([1, "0x"]), "function must be a string"),
        ("metashrew_view", json!(["echo", "0xabc"]), "input is not hex"),
        ("metashrew_view", json!(["echo", "0x", -1]), "height must be a number"),
        (
            "metashrew_view",
            json!(["echo", "0x", "soon"]),
            "height must be a decimal number",
        ),
        ("metashrew_view", json!(["echo", "0x", 1, 2]), "params: at most 3"),
        (
            "metashrew_view",
            json!({"function": "echo"}),
            "params: they are taken by position",
        ),
        ("metashrew_view", json!("echo"), "params: invalid type"),
        ("metashrew_preview", json!([]), "block is missing"),
        ("metashrew_preview", json!(["0xzz", "echo", "0x"]), "block is not hex"),
        ("metashrew_preview", json!([7, "echo", "0x"]), "block must be a string"),
        ("metashrew_preview", json!(["0x00"]), "function is missing"),
        ("metashrew_preview", json!(["0x00", "echo"]), "input is missing"),
        ("metashrew_preview", json!(["0x00", "echo", "0x", []]), "height must be"),
        (
            "metashrew_preview",
            json!(["0x00", "echo", "0x", 1, 2]),
            "params: at most 4",
        ),
        ("metashrew_getblockhash", json!([]), "height is missing"),
        ("metashrew_getblockhash", json!([[]]), "height must be a number"),
        ("metashrew_stateroot", json!({}), "height is missing"),
        ("metashrew_height", json!([1]), "params: at most 0"),
    ];
    for (method, params, expected) in cases {
        let (code, message) = server.call(method, params.clone()).await.unwrap_err();
        assert!(
            code == -32602 && message.starts_with(expected),
            "{method} {params}: {code} {message}"
        );
    }
}

#[tokio::test]
async fn unknown_methods_are_named() {
    let (code, message) = Server::new().call("metashrew_sync", json!([])).await.unwrap_err();
    assert_eq!(
        (code, message.as_str()),
        (-32601, "there is no method \"metashrew_sync\"")
    );
}

#[tokio::test]
async fn nothing_is_answered_while_the_index_is_unavailable() {
    let server = Server::new();
    server.index.unavailable.store(true, Ordering::SeqCst);
    for method in ["metashrew_height", "metashrew_view", "metashrew_snapshot"] {
        assert_eq!(
            server.call(method, json!([])).await,
            Err((-32001, "shutting down".into()))
        );
    }
}

#[tokio::test]
async fn views_are_counted_by_function_and_outcome() {
    let server = Server::new();
    for function in ["echo", "echo", "fail", "made-up-1", "made-up-2"] {
        let _ = server.call("metashrew_view", json!([function, "0x"])).await;
    }
    let count = |labels: &str| server.metric(&format!("shrewd_indexer_views_total{{{labels}}}"));
    assert_eq!(count(r#"function="echo",outcome="ok""#).as_deref(), Some("2"));
    assert_eq!(count(r#"function="fail",outcome="guest_failed""#).as_deref(), Some("1"));
    assert_eq!(
        count(r#"function="other",outcome="unknown_function""#).as_deref(),
        Some("2")
    );
    assert_eq!(server.metric("shrewd_indexer_view_seconds_count").as_deref(), Some("5"));
    assert_eq!(server.metric("shrewd_indexer_views_running").as_deref(), Some("0"));
}
