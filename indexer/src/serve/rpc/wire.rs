//! JSON-RPC 2.0 as bytes: requests are split without building a tree of them, and answers written.
//!
//! Nothing here recurses into a request or allocates more than a fixed share of its size, so neither deep nesting nor
//! eight million array elements cost more than the bytes they came in.

use std::{borrow::Cow, fmt};

use jsonrpsee_types::error::{ErrorObjectOwned, INVALID_REQUEST_CODE, PARSE_ERROR_CODE};
use serde::{
    Deserialize, Deserializer as _, Serialize,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Requests in one batch. Contract: batches of 1,000 are served.
pub(super) const BATCH_MAX: usize = 1_000;
/// An id is echoed; it has no reason to be long.
const ID_BYTES_MAX: usize = 1_024;

/// One body.
pub(super) enum Message<'a> {
    /// One request, or something that should have been one.
    Single(&'a RawValue),
    /// At most [`BATCH_MAX`] of them.
    Batch(Vec<&'a RawValue>),
}

/// One request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// A string, a number or null, as it was written; none: a notification, which is never answered.
    pub(super) id: Option<&'a RawValue>,
    pub(super) method: Cow<'a, str>,
    pub(super) params: Option<&'a RawValue>,
}

/// A request that is none: the error, and the id if that much could be read.
#[derive(Debug)]
pub(super) struct Invalid<'a> {
    pub(super) id: Option<&'a RawValue>,
    pub(super) error: ErrorObjectOwned,
}

/// What goes back for one request.
#[derive(Serialize)]
struct Response<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorObjectOwned>,
    id: Option<&'a RawValue>,
}

/// Tells a request from a batch.
///
/// # Errors
/// -32700 for what is no JSON, -32600 for an empty batch and one with more than [`BATCH_MAX`] entries.
pub(super) fn message(body: &[u8]) -> Result<Message<'_>, ErrorObjectOwned> {
    if body.trim_ascii_start().first() != Some(&b'[') {
        return serde_json::from_slice(body)
            .map(Message::Single)
            .map_err(|e| not_json(&e));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let entries = reader
        .deserialize_seq(BatchVisitor)
        .and_then(|entries| reader.end().map(|()| entries));
    match entries.map_err(|e| not_json(&e))? {
        None => Err(invalid(format!("a batch may have at most {BATCH_MAX} entries"))),
        Some(entries) if entries.is_empty() => Err(invalid("a batch must not be empty")),
        Some(entries) => Ok(Message::Batch(entries)),
    }
}

/// Reads one request.
///
/// # Errors
/// -32600 for anything that is not a JSON-RPC 2.0 request object.
pub(super) fn request(raw: &RawValue) -> Result<Request<'_>, Invalid<'_>> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        jsonrpc: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "even_if_null")]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        method: Option<&'a RawValue>,
        #[serde(borrow)]
        params: Option<&'a RawValue>,
    }

    let fail = |id, message: &str| {
        Err(Invalid {
            id,
            error: invalid(message),
        })
    };
    // The check is needed: an array of the fields' values would count as the struct too.
    if !raw.get().starts_with('{') {
        return fail(None, "a request must be an object");
    }
    let Ok(Envelope {
        jsonrpc,
        id,
        method,
        params,
    }) = serde_json::from_str(raw.get())
    else {
        return fail(None, "a member of the request is given twice");
    };
    if id.is_some_and(|id| id.get().len() > ID_BYTES_MAX || id.get().starts_with(['{', '[', 't', 'f'])) {
        return fail(None, "id must be a short string, a number or null");
    }
    if jsonrpc.and_then(text).as_deref() != Some("2.0") {
        return fail(id, "jsonrpc must be \"2.0\"");
    }
    match method.and_then(text) {
        Some(method) => Ok(Request { id, method, params }),
        None => fail(id, "method must be a string"),
    }
}

/// Appends the answer to one request.
pub(super) fn write_response(out: &mut Vec<u8>, id: Option<&RawValue>, answer: &Result<String, ErrorObjectOwned>) {
    let response = Response {
        jsonrpc: "2.0",
        result: answer.as_deref().ok(),
        error: answer.as_ref().err(),
        id: id.filter(|id| id.get() != "null"),
    };
    // Texts and numbers into memory.
    #[allow(clippy::expect_used)]
    serde_json::to_writer(out, &response).expect("a response has nothing that cannot be written");
}

/// Appends the answer to one request up to the hex digits of its result.
pub(super) fn write_hex_start(out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","result":"0x"#);
}

/// Appends what follows those digits.
pub(super) fn write_hex_end(out: &mut Vec<u8>, id: Option<&RawValue>) {
    out.push(b'"');
    write_json_end(out, id);
}

/// Appends the answer to one request up to its result, which is JSON.
pub(super) fn write_json_start(out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","result":"#);
}

/// Appends what follows that result.
pub(super) fn write_json_end(out: &mut Vec<u8>, id: Option<&RawValue>) {
    out.extend_from_slice(br#","id":"#);
    out.extend_from_slice(id.map_or("null", RawValue::get).as_bytes());
    out.push(b'}');
}

/// -32600 with what is wrong.
pub(super) fn invalid(message: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_REQUEST_CODE, message, None::<()>)
}

/// A JSON string; none for anything else. A null member was dropped by `Option` before.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = serde_json::from_str(raw.get()).ok()?;
    Some(text)
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn not_json(error: &serde_json::Error) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(PARSE_ERROR_CODE, format!("the body is not JSON: {error}"), None::<()>)
}

/// `"id": null` is a request with an id, and no `id` is a notification; `Option` alone reads both as none.
fn even_if_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Collects at most [`BATCH_MAX`] entries; none if there are more.
struct BatchVisitor;

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of requests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element::<&RawValue>()? {
            if entries.len() == BATCH_MAX {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            entries.push(entry);
        }
        Ok(Some(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_id_is_kept_as_it_was_written() {
        for id in ["1", "-5", "1.50", "18446744073709551616", "\"a\\u0062\"", "null"] {
            let text = format!(r#"{{"jsonrpc":"2.0","method":"m","id":{id}}}"#);
            let request = request(raw(&text)).unwrap();
            assert_eq!(request.id.unwrap().get(), id);
            let mut out = Vec::new();
            write_response(&mut out, request.id, &Ok("x".into()));
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!(r#"{{"jsonrpc":"2.0","result":"x","id":{id}}}"#)
            );
        }
    }

    #[test]
    fn a_request_without_id_is_a_notification() {
        assert!(request(raw(r#"{"jsonrpc":"2.0","method":"m"}"#)).unwrap().id.is_none());
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_id_it_has() {
        let cases = [
            ("1", None),
            ("null", None),
            (r#"["2.0",1,"m"]"#, None),
            ("{}", None),
            (r#"{"jsonrpc":"2.0","id":7}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","id":7,"method":null}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","id":7,"method":["m"]}"#, Some("7")),
            (r#"{"jsonrpc":"1.0","id":7,"method":"m"}"#, Some("7")),
            (r#"{"jsonrpc":2.0,"id":7,"method":"m"}"#, Some("7")),
            (r#"{"id":7,"method":"m"}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","id":[7],"method":"m"}"#, None),
            (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, None),
            (r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, None),
            (r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"m"}"#, None),
        ];
        for (text, id) in cases {
            let invalid = request(raw(text)).unwrap_err();
            assert_eq!(invalid.error.code(), -32600, "{text}");
            assert_eq!(invalid.id.map(RawValue::get), id, "{text}");
        }
    }

    #[test]
    fn batches_are_bounded_and_never_empty() {
        let batch = |n: usize| format!(" [{}]", vec!["1"; n].join(","));
        assert!(matches!(message(batch(1).as_bytes()), Ok(Message::Batch(entries)) if entries.len() == 1));
        assert!(
            matches!(message(batch(BATCH_MAX).as_bytes()), Ok(Message::Batch(entries)) if entries.len() == BATCH_MAX)
        );
        let code = |text: &str| message(text.as_bytes()).err().map(|e| e.code());
        assert_eq!(code(&batch(BATCH_MAX + 1)), Some(-32600));
        assert_eq!(code("[]"), Some(-32600));
        assert_eq!(code("[1"), Some(-32700));
        assert_eq!(code("[1]]"), Some(-32700));
    }

    #[test]
    fn what_is_no_json_is_a_parse_error_however_deep() {
        let deep = "[".repeat(1_000_000);
        for text in ["", " ", "{", "nul", "{}{}", "\u{0}", deep.as_str()] {
            assert_eq!(
                message(text.as_bytes()).err().map(|e| e.code()),
                Some(-32700),
                "{:.20}",
                text
            );
        }
        assert_eq!(message(b"\"\xff\"").err().map(|e| e.code()), Some(-32700));
    }
}
