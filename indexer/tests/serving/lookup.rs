use serde_json::{Value, json};

use crate::stage::{START, Stage, call};

async fn ask(stage: &Stage, method: &str, params: Value) -> Value {
    let result = call(&stage.router, method, params).await.unwrap();
    serde_json::from_str(&result).unwrap()
}

/// What block `START + n` wrote.
fn written(n: u32) -> [Value; 2] {
    let height = START + n;
    [
        json!({"key": "0x6e", "value": format!("0x{:08x}", (n + 1).swap_bytes()), "height": height}),
        json!({"key": "0x70", "value": "0x50000000", "height": height}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn values_and_pages_are_of_the_height_asked_for() {
    let stage = Stage::up_to(START + 5, |_| {});
    for (height, n) in [
        (json!(START), 0),
        (json!(START + 3), 3),
        (json!("latest"), 5),
        (json!(9_999), 5),
    ] {
        let [count, pages] = written(n);
        let value = ask(&stage, "shrewd_get", json!(["0x6e", height])).await;
        assert_eq!(
            (&value["value"], &value["height"]),
            (&count["value"], &count["height"]),
            "{height}"
        );
        let first = ask(&stage, "shrewd_scan", json!(["0x", height, null, 1])).await;
        assert_eq!(first, json!({"entries": [count], "after": "0x6e"}), "{height}");
        let second = ask(&stage, "shrewd_scan", json!(["0x", height, "0x6e", 2])).await;
        assert_eq!(second, json!({"entries": [pages], "after": null}), "{height}");
    }
    for missing in ["0x", "0x6f", "0x6e00"] {
        assert_eq!(ask(&stage, "shrewd_get", json!([missing])).await, Value::Null);
        let page = ask(&stage, "shrewd_scan", json!([missing, START - 1, null, 9])).await;
        assert_eq!(page, json!({"entries": [], "after": null}), "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_where_the_answer_would_get_too_long() {
    let stage = Stage::up_to(START, |limits| limits.views.max_response_bytes = 5);
    let [count, _] = written(0);
    let page = ask(&stage, "shrewd_scan", json!(["0x", null, null, 9])).await;
    assert_eq!(page, json!({"entries": [count], "after": "0x6e"}));
    let tiny = Stage::up_to(START, |limits| limits.views.max_response_bytes = 4);
    for (method, params) in [
        ("shrewd_get", json!(["0x6e"])),
        ("shrewd_scan", json!(["0x", null, null, 9])),
    ] {
        let (code, message) = call(&tiny.router, method, params).await.unwrap_err();
        assert_eq!(code, -32002, "{message}");
        assert!(message.contains("a key of 1 bytes has a value of 4"), "{message}");
    }
}
