//! An HTTP answer: text and, in between, bytes that become hex only as they are sent. So a view's answer is held once,
//! as the guest returned it.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::Stream;
use jsonrpsee_types::error::ErrorObjectOwned;
use serde_json::value::RawValue;

use super::{index::ReadAt, wire};

/// The height an answer was read at.
pub(super) const HEIGHT: HeaderName = HeaderName::from_static("x-shrewd-height");
/// The block there.
pub(super) const BLOCK_HASH: HeaderName = HeaderName::from_static("x-shrewd-block-hash");

/// Bytes that are made hex at once: what the connection takes in one go.
const HEX_CHUNK_BYTES: usize = 32 << 10;
/// How long a client may take for its answer, however short.
const TAKING_TIME_MIN: Duration = Duration::from_secs(30);
/// How fast it must take a long one: 2 Mbit/s, as requests must come.
const TAKING_BYTES_PER_SECOND: u64 = 256 << 10;

/// The result of one request.
pub(super) struct Answer {
    pub(super) result: Outcome,
    /// What of the index it was read at.
    pub(super) at: Option<ReadAt>,
}

/// A result as clients see it: of Metashrew's methods always a string.
pub(super) enum Outcome {
    Text(String),
    /// Shown as `0x` and hex.
    Bytes(Bytes),
    /// JSON as it is.
    Json(Bytes),
}

/// An answer that is written.
#[derive(Default)]
pub(super) struct Reply {
    parts: VecDeque<Part>,
    len_bytes: u64,
    read_at: Agreement,
}

enum Part {
    Text(Vec<u8>),
    Hex(Bytes),
    Json(Bytes),
}

/// What the entries of a batch were read at.
#[derive(Default, PartialEq, Eq)]
enum Agreement {
    #[default]
    Nothing,
    One(ReadAt),
    Several,
}

impl Reply {
    /// Appends text.
    pub(super) fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.parts.back(), Some(Part::Text(_))) {
            self.parts.push_back(Part::Text(Vec::new()));
        }
        if let Some(Part::Text(text)) = self.parts.back_mut() {
            let before = text.len();
            write(text);
            self.len_bytes += (text.len() - before) as u64;
        }
    }

    /// Appends the answer to one request.
    pub(super) fn answer(&mut self, id: Option<&RawValue>, answer: Result<Answer, ErrorObjectOwned>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.text(|out| wire::write_response(out, id, &Err(error))),
        };
        if let Some(at) = answer.at {
            self.read_at.add(at);
        }
        match answer.result {
            Outcome::Text(text) => self.text(|out| wire::write_response(out, id, &Ok(text))),
            Outcome::Bytes(bytes) => {
                self.text(wire::write_hex_start);
                self.len_bytes += 2 * bytes.len() as u64;
                self.parts.push_back(Part::Hex(bytes));
                self.text(|out| wire::write_hex_end(out, id));
            }
            Outcome::Json(json) => {
                self.text(wire::write_json_start);
                self.len_bytes += json.len() as u64;
                self.parts.push_back(Part::Json(json));
                self.text(|out| wire::write_json_end(out, id));
            }
        }
    }

    /// Bytes it will have.
    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// As HTTP: 200 with a JSON-RPC object, or 204 if there is nothing to answer.
    pub(super) fn into_response(self) -> Response {
        if self.parts.is_empty() {
            return StatusCode::NO_CONTENT.into_response();
        }
        let mut headers = self.read_at.headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, self.len_bytes.into());
        let seconds = self.len_bytes / TAKING_BYTES_PER_SECOND;
        let chunks = Chunks {
            parts: self.parts,
            deadline: Instant::now() + TAKING_TIME_MIN + Duration::from_secs(seconds),
        };
        (headers, Body::from_stream(chunks)).into_response()
    }
}

impl Agreement {
    fn add(&mut self, at: ReadAt) {
        *self = match self {
            Self::Nothing => Self::One(at),
            Self::One(other) if *other == at => Self::One(at),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Self::One(at) = self {
            headers.insert(HEIGHT, at.height.0.into());
            let hash = at.hash.and_then(|hash| hash.to_string().try_into().ok());
            headers.extend(hash.map(|hash: HeaderValue| (BLOCK_HASH, hash)));
        }
        headers
    }
}

/// The parts of an answer as they are sent.
struct Chunks {
    parts: VecDeque<Part>,
    deadline: Instant,
}

impl Stream for Chunks {
    type Item = io::Result<Bytes>;

    /// Never pending. Past the deadline it fails, which closes the connection.
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(part) = self.parts.pop_front() else {
            return Poll::Ready(None);
        };
        if Instant::now() > self.deadline {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        Poll::Ready(Some(Ok(match part {
            Part::Text(text) => text.into(),
            Part::Json(json) => json,
            Part::Hex(mut bytes) => {
                let chunk = bytes.split_to(bytes.len().min(HEX_CHUNK_BYTES));
                if !bytes.is_empty() {
                    self.parts.push_front(Part::Hex(bytes));
                }
                hex::encode(chunk).into()
            }
        })))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use bitcoin::{BlockHash, hashes::Hash as _};
    use futures::StreamExt as _;

    use super::*;
    use crate::chain::Height;

    fn at(height: u32) -> ReadAt {
        ReadAt {
            height: Height(height),
            hash: Some(BlockHash::from_byte_array([7; 32])),
        }
    }

    fn bytes(bytes: Vec<u8>, at: Option<ReadAt>) -> Result<Answer, ErrorObjectOwned> {
        Ok(Answer {
            result: Outcome::Bytes(bytes.into()),
            at,
        })
    }

    #[tokio::test]
    async fn bytes_are_sent_as_hex_and_the_length_is_announced() {
        let long: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        for value in [vec![], vec![0xab], long] {
            let mut reply = Reply::default();
            reply.answer(None, bytes(value.clone(), None));
            let response = reply.into_response();
            let announced = response.headers()[header::CONTENT_LENGTH].to_str().unwrap().to_owned();
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let expected = format!(r#"{{"jsonrpc":"2.0","result":"0x{}","id":null}}"#, hex::encode(value));
            assert_eq!(announced, expected.len().to_string());
            assert!(body == expected);
        }
    }

    #[test]
    fn headers_name_what_all_entries_were_read_at() {
        let hash = BlockHash::from_byte_array([7; 32]).to_string();
        let below = ReadAt { hash: None, ..at(5) };
        let cases = [
            (vec![], (None, None)),
            (vec![None, None], (None, None)),
            (vec![Some(at(5))], (Some("5"), Some(hash.as_str()))),
            (vec![Some(at(5)), None, Some(at(5))], (Some("5"), Some(hash.as_str()))),
            (vec![Some(at(5)), Some(at(6)), Some(at(5))], (None, None)),
            (vec![Some(below)], (Some("5"), None)),
            (vec![Some(below), Some(at(5))], (None, None)),
        ];
        for (entries, expected) in cases {
            let mut reply = Reply::default();
            reply.text(|out| out.push(b'['));
            entries.iter().for_each(|at| reply.answer(None, bytes(vec![1], *at)));
            let response = reply.into_response();
            let shown = |name: HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!((shown(HEIGHT), shown(BLOCK_HASH)), expected, "{entries:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_in_time_fails() {
        let mut chunks = Chunks {
            parts: [Part::Text(b"a".into()), Part::Text(b"b".into())].into(),
            deadline: Instant::now() + Duration::from_secs(60),
        };
        assert_eq!(chunks.next().await.unwrap().unwrap(), "a");
        chunks.deadline = Instant::now() - Duration::from_millis(1);
        assert_eq!(
            chunks.next().await.unwrap().unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
    }
}
