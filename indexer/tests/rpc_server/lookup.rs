//! Values without a view.

use serde_json::{Value, json};

use crate::harness::{START, Server, TIP};

/// The result as JSON.
async fn call(server: &Server, method: &str, params: Value) -> Value {
    let result = server.call(method, params).await.unwrap();
    serde_json::from_str(&result).unwrap()
}

fn entry(key: &str) -> Value {
    json!({"key": key, "value": key, "height": START})
}

#[tokio::test]
async fn a_value_comes_with_the_height_it_was_written_at() {
    let server = Server::new();
    for params in [json!(["0x00fF"]), json!(["00ff", null]), json!(["0x00ff", TIP])] {
        let wanted = json!({"value": "0x00ff", "height": START});
        assert_eq!(call(&server, "shrewd_get", params.clone()).await, wanted, "{params}");
    }
    assert_eq!(call(&server, "shrewd_get", json!(["0x"])).await, Value::Null);
    assert_eq!(server.held_bytes(), Some(0));
}

#[tokio::test]
async fn pages_lead_from_one_to_the_next() {
    let server = Server::new();
    let page = json!({"entries": [entry("0xaa01"), entry("0xaa02"), entry("0xaa03")], "after": "0xaa03"});
    assert_eq!(call(&server, "shrewd_scan", json!(["0xaa", null, null, 3])).await, page);
    let rest = json!({"entries": [entry("0xaa04"), entry("0xaa05")], "after": null});
    assert_eq!(
        call(&server, "shrewd_scan", json!(["aa", "latest", "aa03", 10_000])).await,
        rest
    );
    let none = json!({"entries": [], "after": null});
    assert_eq!(
        call(&server, "shrewd_scan", json!(["aa", TIP, "0xaa05", 1])).await,
        none
    );
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = Server::new();
    for (method, params, message) in [
        ("shrewd_get", json!([]), "key is missing"),
        ("shrewd_get", json!(["0xz"]), "key is not hex"),
        ("shrewd_get", json!(["0x", 1, 2]), "params: at most 2"),
        (
            "shrewd_scan",
            json!(["0x"]),
            "limit is missing: a number from 1 to 10000",
        ),
        (
            "shrewd_scan",
            json!(["0x", null, null, 0]),
            "limit must be from 1 to 10000",
        ),
        (
            "shrewd_scan",
            json!(["0x", null, null, 10_001]),
            "limit must be from 1 to 10000",
        ),
        ("shrewd_scan", json!(["0x", null, null, "5"]), "limit must be a number"),
        ("shrewd_scan", json!(["0x", null, 7, 1]), "after must be a string"),
        (
            "shrewd_scan",
            json!(["0xaa", null, "0xab01", 1]),
            "after must begin with the prefix",
        ),
    ] {
        let (code, text) = server.call(method, params.clone()).await.unwrap_err();
        assert!(
            code == -32602 && text.starts_with(message),
            "{method} {params}: {code} {text}"
        );
    }
    let empty = Server::with(None, |_| {});
    for (method, params) in [
        ("shrewd_get", json!(["0x01"])),
        ("shrewd_scan", json!(["0x", null, null, 1])),
    ] {
        assert_eq!(empty.call(method, params).await.unwrap_err().0, -32001, "{method}");
    }
}
