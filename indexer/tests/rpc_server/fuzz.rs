use proptest::prelude::*;
use serde_json::Value;

use crate::harness::{Server, outcome};

/// Bodies that have crashed servers of this kind, and their relatives.
fn bodies() -> Vec<String> {
    let methods = [
        "metashrew_view",
        "metashrew_preview",
        "metashrew_height",
        "metashrew_getblockhash",
        "metashrew_stateroot",
        "metashrew_snapshot",
        "shrewd_get",
        "shrewd_scan",
    ];
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nines = "9".repeat(400);
    let params = [
        "",
        "[]",
        "{}",
        "null",
        "[null]",
        "[null,null,null]",
        "true",
        "\"\"",
        "0",
        "[[]]",
        "[{}]",
        "[true]",
        "[-1]",
        "[1e400]",
        "[\"\"]",
        "[\"\",\"\",\"\"]",
        "[\"echo\",\"\\u0000\"]",
        "[\"echo\",\"0x\",1e5]",
        "[1,2,3,4,5,6,7,8]",
        &deep,
        &nines,
        "[\"echo\",\"0x\",-9223372036854775808]",
        "[\"_start\",\"0x\"]",
        "[\"0x\",\"echo\",\"0x\",-1]",
        "[\"0x\",\"_start\",\"\"]",
        "[\"\\ud800\",\"0x\"]",
        "[\"0x\",null,\"0x00\",1]",
        "[\"0x\",null,null,-1]",
    ];
    let mut bodies: Vec<String> = [
        "",
        " ",
        "{",
        "}",
        "[",
        "null",
        "1",
        "\"\"",
        "{}",
        "[]",
        "[[]]",
        "[{}]",
        "[null]",
        "[1,2]",
        &deep,
        &nines,
        "\u{feff}{}",
    ]
    .map(Into::into)
    .into();
    for method in methods {
        for params in params {
            let member = if params.is_empty() {
                String::new()
            } else {
                format!(",\"params\":{params}")
            };
            bodies.push(format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\"{member}}}"
            ));
        }
    }
    bodies.push(format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}",
        "m".repeat(50_000)
    ));
    bodies.push(r#"{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"metashrew_height"}"#.into());
    bodies.push(format!("[{}]", vec!["[]"; 1_000].join(",")));
    bodies
}

/// One well-formed answer, or a list of them.
fn assert_answered(answer: &Value, body: &str) {
    match answer {
        Value::Array(answers) => {
            assert!(!answers.is_empty());
            answers.iter().for_each(|answer| assert_answered(answer, body));
        }
        _ => {
            assert_eq!(answer["jsonrpc"], "2.0", "{body:.100}");
            if let Err((code, message)) = outcome(answer) {
                assert!(
                    [-32700, -32600, -32601, -32602, -32000, -32001, -32002].contains(&code),
                    "{body:.100}: {code}"
                );
                assert!(!message.is_empty() && message.len() <= 4096, "{body:.100}: {message}");
            }
        }
    }
}

/// Contract §8.17.
#[tokio::test]
async fn every_body_is_answered_and_the_server_lives_on() {
    let server = Server::new();
    for body in bodies() {
        assert_answered(&server.post(body.clone()).await, &body);
    }
    assert_eq!(server.call("metashrew_height", Value::Null).await, Ok("103".into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Contract §8.17.
    #[test]
    fn bodies_with_a_part_replaced_are_answered(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), noise in ".{0,6}") {
        let bodies = bodies();
        let body = which.get(&bodies);
        let mut cut = at.index(body.len() + 1);
        while !body.is_char_boundary(cut) {
            cut -= 1;
        }
        let rest = body[cut..].chars().skip(noise.chars().count()).collect::<String>();
        let spoiled = format!("{}{noise}{rest}", &body[..cut]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(Server::new().post(spoiled.clone()));
        // Null: it has become a notification.
        if !answer.is_null() {
            assert_answered(&answer, &spoiled);
        }
    }
}
