//! The request for a fresh guest instance.

use serde::{Deserialize, Serialize};

/// The longest [`RefreshRequest::id`] a pod accepts, in bytes: enough for a timestamp or a prefixed UUID, yet small
/// enough to be echoed in every status.
pub const REFRESH_ID_BYTES_MAX: usize = 256;

/// Body of `POST /refresh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    /// Any text; a request with the id of the last one carried out does nothing. At most
    /// [`REFRESH_ID_BYTES_MAX`] bytes.
    pub id: String,
}
