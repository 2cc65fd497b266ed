//! Reasons of [`Snapshots::check`](crate::pod::Snapshots::check).

words! {
    /// The last snapshot that was due is there.
    PUBLISHED = "Published";
    /// The first one is being published.
    PUBLISHING = "Publishing";
    /// None is due yet, or the storage has not been asked.
    PENDING = "Pending";
    /// This pod publishes only while its data serves clients, and it does not.
    NOT_SERVING = "NotServing";
    /// The storage does not answer, or refuses for now; retried.
    STORAGE_UNAVAILABLE = "StorageUnavailable";
    /// The storage does not accept the credentials, or they may not do what is needed; retried.
    STORAGE_DENIED = "StorageDenied";
    /// The credentials' files are missing, or cannot be read; retried.
    CREDENTIALS_MISSING = "CredentialsMissing";
    /// It fails for another reason, which the message has; retried.
    PUBLISH_FAILED = "PublishFailed";
}
