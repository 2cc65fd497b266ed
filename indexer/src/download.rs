//! Reads the body of an HTTP response into memory, up to a limit.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the limit. Of a body whose length is announced nothing was read.
    TooLong,
    /// The connection broke off, or a timeout of the client passed.
    BrokenOff(reqwest::Error),
}

/// The whole body, of at most `bytes_max` bytes. The time it may take is bounded by the client's timeouts.
///
/// # Errors
/// [`BodyError`]. No more than `bytes_max` bytes were held at any time, besides the chunk that exceeded it.
pub(crate) async fn read_body(response: &mut Response, bytes_max: usize) -> Result<Bytes, BodyError> {
    let announced = response.content_length();
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(BodyError::TooLong);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::BrokenOff)? {
        if chunk.len() > bytes_max - body.len() {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
