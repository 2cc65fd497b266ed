//! (pure) JSON-RPC of the client contract: the call of a view, and what its answer means.

use serde_json::{Value, json};

/// The only call of a connection.
const ID: u64 = 1;

/// Height at which a view is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The last indexed block.
    Latest,
    /// A block.
    Height(u32),
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The pod says why.
    #[error("{}: {message} (JSON-RPC error {code})", meaning(*.code))]
    Refused {
        /// Its code, as the client contract has it.
        code: i64,
        /// Its words, or the guest's.
        message: String,
    },
    /// It is no answer of the contract.
    #[error("the pod answered with something other than JSON-RPC; does it run another program?")]
    NotRpc,
}

/// The body that calls a view.
#[must_use]
pub fn view(function: &str, input: &str, at: At) -> Value {
    let height = match at {
        At::Latest => json!("latest"),
        At::Height(height) => json!(height),
    };
    json!({ "jsonrpc": "2.0", "id": ID, "method": "metashrew_view", "params": [function, input, height] })
}

/// The answer in a body: hex with `0x` before it.
///
/// # Errors
/// If it is an error, or no answer.
pub fn answer(body: &[u8]) -> Result<String, RpcError> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| RpcError::NotRpc)?;
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        return Err(RpcError::Refused {
            code: error["code"].as_i64().ok_or(RpcError::NotRpc)?,
            message: error["message"].as_str().unwrap_or("it gives no reason").to_owned(),
        });
    }
    match answer["result"].as_str() {
        Some(hex) if is_hex(hex) => Ok(hex.to_owned()),
        _ => Err(RpcError::NotRpc),
    }
}

/// The meaning of the codes of the client contract.
fn meaning(code: i64) -> &'static str {
    match code {
        -32602 => "the module has no such view, or the input or height is not valid",
        -32000 => "the view failed",
        -32001 => "not available now, ask again later",
        -32002 => "over a limit of spec.views: ask for less, or later",
        _ => "the pod did not understand the call",
    }
}

/// Whether a text is whole bytes in hex, with `0x` before them or without.
#[must_use]
pub fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.len().is_multiple_of(2) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_the_parameters_of_the_contract() {
        let call = view("tip", "0x00", At::Height(7));
        assert_eq!(call["params"], json!(["tip", "0x00", 7]));
        assert_eq!(view("tip", "", At::Latest)["params"], json!(["tip", "", "latest"]));
    }

    #[test]
    fn answers_are_hex_and_errors_are_words() {
        assert_eq!(
            answer(br#"{"jsonrpc":"2.0","id":1,"result":"0x00ff"}"#).unwrap(),
            "0x00ff"
        );
        let cases: [(&[u8], &str); 5] = [
            (
                br#"{"error":{"code":-32602,"message":"no view bal"}}"#,
                "the module has no such view, or the input or height is not valid: no view bal (JSON-RPC error -32602)",
            ),
            (
                br#"{"error":{"code":-32000,"message":"x"}}"#,
                "the view failed: x (JSON-RPC error -32000)",
            ),
            (
                br#"{"result":"hello"}"#,
                "the pod answered with something other than JSON-RPC",
            ),
            (
                br#"{"result":"0x0"}"#,
                "the pod answered with something other than JSON-RPC",
            ),
            (b"<html>", "the pod answered with something other than JSON-RPC"),
        ];
        for (body, words) in cases {
            let error = answer(body).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
