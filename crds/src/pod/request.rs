//! What a pod is asked for.

use serde::{Deserialize, Serialize};

/// The longest [`Request::id`] a pod accepts, in bytes: enough for a timestamp or a prefixed UUID, yet small enough to
/// be echoed in every status.
pub const REQUEST_ID_BYTES_MAX: usize = 256;

/// Body of `POST /refresh` and of `POST /snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Any text; a request with the id of the last one of its kind does nothing. At most [`REQUEST_ID_BYTES_MAX`]
    /// bytes.
    pub id: String,
}
