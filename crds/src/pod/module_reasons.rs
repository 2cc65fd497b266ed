//! Reasons of [`Status::module`](crate::pod::Status::module).

/// The bytes have the declared digest, compile, and have the needed exports.
pub const VERIFIED: &str = "Verified";
/// Nothing was looked at yet.
pub const PENDING: &str = "Pending";
/// The file is not there.
pub const NOT_FOUND: &str = "ModuleNotFound";
/// It cannot be fetched from where it is; the pod tries again by itself.
pub const FETCH_FAILED: &str = "FetchFailed";
/// The bytes have another digest than declared.
pub const DIGEST_MISMATCH: &str = "DigestMismatch";
/// The bytes are no core WebAssembly module, or one that cannot be run here.
pub const NOT_WASM: &str = "InvalidModule";
/// `_start` or `memory` is missing or of another type.
pub const MISSING_EXPORT: &str = "MissingExport";
/// The module is usable, but not on the data that is there.
pub const IN_PLACE_REFUSED: &str = "InPlaceRefused";
