//! Reasons of [`Status::module`](crate::pod::Status::module).

words! {
    /// The bytes have the declared digest, compile, and have the needed exports.
    VERIFIED = "Verified";
    /// Nothing was looked at yet.
    PENDING = "Pending";
    /// The file is not there.
    NOT_FOUND = "ModuleNotFound";
    /// It cannot be fetched from where it is; the pod tries again by itself.
    FETCH_FAILED = "FetchFailed";
    /// The bytes have another digest than declared.
    DIGEST_MISMATCH = "DigestMismatch";
    /// The bytes are no core WebAssembly module, or one that cannot be run here.
    NOT_WASM = "InvalidModule";
    /// `_start` or `memory` is missing or of another type.
    MISSING_EXPORT = "MissingExport";
    /// The module is usable, but not on the data that is there.
    IN_PLACE_REFUSED = "InPlaceRefused";
}
