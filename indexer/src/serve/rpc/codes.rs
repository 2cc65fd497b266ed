//! Error codes of JSON-RPC that are ours, and errors made of them.

use jsonrpsee_types::error::{CALL_EXECUTION_FAILED_CODE, ErrorObjectOwned};

/// The guest failed a view.
pub const VIEW_FAILED: i32 = CALL_EXECUTION_FAILED_CODE;
/// What was asked for is not there now: nothing indexed, not that far, shutting down, a disk that cannot be read.
pub const NOT_AVAILABLE: i32 = -32001;
/// A bound on requests, answers, time, memory or concurrent views was reached.
pub const OVER_LIMIT: i32 = -32002;

/// A guest's own words may be as long as its memory.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// An error with a message of bounded length.
pub(super) fn error(code: i32, message: impl Into<String>) -> ErrorObjectOwned {
    let mut message = message.into();
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    ErrorObjectOwned::owned(code, message, None::<()>)
}
