use serde_json::json;

use super::*;

#[test]
fn texts_lose_their_secrets_and_nothing_else() {
    let cases = [
        (
            "GET http://user:hunter2@node:8332/rest failed",
            "GET http://[removed]@node:8332/rest failed",
        ),
        (
            "load https://acct.blob/m.wasm?sv=1&sig=hunter2: 403",
            "load https://acct.blob/m.wasm?[removed]: 403",
        ),
        (
            "GET /rest?api_key=hunter2 HTTP/1.1",
            "GET /rest?api_key=[removed] HTTP/1.1",
        ),
        ("sent x-api-key: hunter2 to it", "sent x-api-key: [removed] to it"),
        ("password: hunter2", "password: [removed]"),
        ("rpcpassword = hunter2 next", "rpcpassword = [removed] next"),
        ("passphrase=hunter2", "passphrase=[removed]"),
        (
            "private_key=hunter2 pwd=hunter2 sig=hunter2",
            "private_key=[removed] pwd=[removed] sig=[removed]",
        ),
        ("AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SECRET_ACCESS_KEY=[removed]"),
        ("read __cookie__:hunter2, then", "read __cookie__:[removed], then"),
        (
            "bitcoind --rpcpassword hunter2 -txindex",
            "bitcoind --rpcpassword [removed] -txindex",
        ),
        (
            "Auth { user: \"a\", password: Some(\"hunter 2\") }",
            "Auth { user: \"a\", password: [removed]\") }",
        ),
        ("tokens: [\"hunter2\", \"b\"] c", "tokens: [removed] c"),
    ];
    for (given, expected) in cases {
        assert_eq!(text(given), expected, "{given}");
        assert_eq!(text(expected), expected, "again");
    }
}

#[test]
fn headers_lose_their_tokens_in_every_form() {
    let cases = [
        (
            "Authorization: Bearer hunter2.x, then",
            "Authorization: [removed], then",
        ),
        ("Authorization=Bearer hunter2 then", "Authorization=[removed] then"),
        (
            "-H 'Authorization: Basic aHVudGVyMg=='",
            "-H 'Authorization: [removed]'",
        ),
        (
            r#"{"authorization":"Bearer hunter2"}"#,
            r#"{"authorization":"[removed]"}"#,
        ),
        (
            r#"sent {"authorization":"Bearer hunter2"} to"#,
            r#"sent {"authorization":"[removed]"} to"#,
        ),
        ("got Bearer hunter2 of it", "got Bearer [removed] of it"),
        ("got Basic aHVudGVyMg== of it", "got Basic [removed] of it"),
        ("Authorization: Basic \n", "Authorization: [removed] \n"),
    ];
    for (given, expected) in cases {
        assert_eq!(text(given), expected, "{given}");
        assert_eq!(text(expected), expected, "again");
    }
}

#[test]
fn json_loses_values_of_any_type_below_the_name_of_a_secret() {
    let cases = [
        (r#"{"a":7,"password":"hunter 2"}"#, r#"{"a":7,"password":"[removed]"}"#),
        (
            r#"sent {"password": "hunter 2","a":7} to"#,
            r#"sent {"password": "[removed]","a":7} to"#,
        ),
        (
            r#"sent {\"password\":\"hunter 2\",\"a\":7} to"#,
            r#"sent {\"password\":\"[removed]\",\"a\":7} to"#,
        ),
        (r#"sent {"password" : "hunter2"}"#, r#"sent {"password" : "[removed]"}"#),
        (r#"sent {"password":1234567}"#, r#"sent {"password":[removed]}"#),
        (r#"{"password":1234567}"#, r#"{"password":"[removed]"}"#),
        (r#"{"tokens":["hunter2"]}"#, r#"{"tokens":["[removed]"]}"#),
        (
            r#"{"credentials":{"pin":1234,"user":"hunter2"}}"#,
            r#"{"credentials":{"pin":"[removed]","user":"[removed]"}}"#,
        ),
        (
            r#"{"height":7,"message":"password=hunter2 failed"}"#,
            r#"{"height":7,"message":"password=[removed] failed"}"#,
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(text(given), expected, "{given}");
        assert_eq!(text(expected), expected, "again");
    }
}

#[test]
fn ordinary_lines_stay_as_they_are() {
    let lines = [
        "the secret rpc has no key password",
        "password: ",
        "enter the password:\n",
        "secretName: rpc",
        "authSecretRef: rpc",
        "auth_secret_ref: Some(SecretRef { name: \"rpc\" })",
        "the token bucket is full: tokens=5 tokens_left: 3",
        "has_token=true password: null",
        "signal: 9, design=a, bypass: on, first pass: 300 blocks",
        "2026-11-20T12:00:00Z  INFO indexed height=7",
        "2026-11-20T12:00:00Z  WARN indexer::credentials: cannot be read yet",
        "/var/run/secrets/token: permission denied",
        "panicked at src/token.rs:12:5: no block",
        "secret \"rpc\" not found, and no secrets \"default/rpc\" either",
        "MountVolume.SetUp failed for volume \"rpc-password\" : secret \"rpc\" not found",
        "https://host/path@1: not found. is it http://host/?",
        "Basic checks passed, with a basic HTTP server and no bearer token",
        "read --password-file /run/rpc/password",
        // Fields of JSON in another order than its own.
        "{\"timestamp\":\"2026\",\"height\":7,\"a\":1.50}\n",
        "höhe 区块 = 7",
    ];
    for line in lines {
        assert_eq!(text(line), line);
    }
}

#[test]
fn lists_lose_what_follows_a_flag() {
    let mut pod = json!({ "args": [
        "--password", "hunter2", "--rpc-password=hunter2", "--token", "--height", "7", "--password-file", "/a",
    ] });
    object(&mut pod);
    let expected = json!({ "args": [
        "--password", REMOVED, "--rpc-password=[removed]", "--token", "--height", "7", "--password-file", "/a",
    ] });
    assert_eq!(pod, expected);
}

#[test]
fn objects_lose_values_of_variables_and_keep_names_of_secrets() {
    let kept = json!({
        "volumes": [
            { "secret": { "secretName": "rpc", "defaultMode": 420, "items": [{ "key": "password", "path": "p" }] } },
            { "projected": { "sources": [{ "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } }] } },
        ],
        "authSecretRef": { "name": "rpc" }, "imagePullSecrets": [{ "name": "registry" }],
        "automountServiceAccountToken": false,
    });
    let mut pod = json!({
        "metadata": { "annotations": { LAST_APPLIED: "{}", "a": "b" }, "managedFields": [] },
        "spec": {
            "containers": [{ "env": [
                { "name": "A", "value": "hunter2" },
                { "name": "B", "valueFrom": { "secretKeyRef": { "name": "rpc", "key": "password" } } },
            ] }],
            "httpHeaders": [{ "name": "Authorization", "value": "hunter2" }],
            "url": "http://u:p@h/", "token": "abc", "kept": kept,
        },
    });
    object(&mut pod);
    let expected = json!({
        "metadata": { "annotations": { "a": "b" } },
        "spec": {
            "containers": [{ "env": [
                { "name": "A", "value": REMOVED },
                { "name": "B", "valueFrom": { "secretKeyRef": { "name": "rpc", "key": "password" } } },
            ] }],
            "httpHeaders": [{ "name": "Authorization", "value": REMOVED }],
            "url": "http://[removed]@h/", "token": REMOVED, "kept": kept,
        },
    });
    assert_eq!(pod, expected);
}

#[test]
fn an_indexer_without_secrets_can_be_read_and_is_the_same() {
    let mut indexer = crate::fixtures::following();
    let spec = &mut indexer.spec;
    spec.image_pull_secrets = Some(vec![crds::SecretRef {
        name: "registry".into(),
    }]);
    let mut scrubbed = serde_json::to_value(&indexer).unwrap();
    object(&mut scrubbed);
    let seen = crate::read::read(scrubbed).unwrap();
    assert_eq!((seen.indexer, seen.unread), (indexer, Vec::new()));
}
