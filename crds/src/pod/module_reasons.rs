//! Reasons of [`Status::module`](crate::pod::Status::module).

words! {
    /// The bytes have the declared digest, compile, and have the needed exports.
    VERIFIED = "Verified";
    /// The module has not been examined yet.
    PENDING = "Pending";
    /// The file does not exist.
    NOT_FOUND = "ModuleNotFound";
    /// It cannot be fetched; the pod retries by itself.
    FETCH_FAILED = "FetchFailed";
    /// The bytes do not have the declared digest.
    DIGEST_MISMATCH = "DigestMismatch";
    /// The bytes are not a core WebAssembly module, or one that cannot run here.
    NOT_WASM = "InvalidModule";
    /// `_start` or `memory` is missing or of another type.
    MISSING_EXPORT = "MissingExport";
    /// The module is usable, but not on the existing data.
    IN_PLACE_REFUSED = "InPlaceRefused";
}
