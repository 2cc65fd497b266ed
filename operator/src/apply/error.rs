//! Failed calls to the API server, and what to do about them.

use std::future::Future;

use crds::Revision;

use crate::{
    objects::{CALL_TIMEOUT, ChildKind, Key},
    plan::Child,
};

/// A refused or lost API call.
#[derive(Debug, thiserror::Error)]
#[error("{action} {object}")]
pub struct Error {
    pub(super) action: &'static str,
    pub(super) object: String,
    pub(super) revision: Option<Revision>,
    #[source]
    pub(super) cause: Cause,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Call(Box<kube::Error>),
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    #[error("it exists but does not belong to this Indexer")]
    Foreign,
}

/// When a failed call should be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Soon: the server, or the connection to it, may have recovered by then.
    RetryLater,
    /// After a change: the same request would be refused again.
    AwaitChange,
    /// Never: the object is gone, so there is nothing left to do.
    Gone,
}

impl Error {
    /// When to retry. A 403 is retried: an API server that has just started has not read its roles yet, and a missing
    /// permission may be granted later.
    #[must_use]
    pub fn class(&self) -> Class {
        match &self.cause {
            Cause::Call(error) => match error.as_ref() {
                kube::Error::Api(status) => match status.code {
                    400 | 422 => Class::AwaitChange,
                    404 => Class::Gone,
                    _ => Class::RetryLater,
                },
                _ => Class::RetryLater,
            },
            Cause::Timeout => Class::RetryLater,
            Cause::Foreign => Class::AwaitChange,
        }
    }

    /// The revision whose object it was; none for what serves all of them.
    #[must_use]
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// What was attempted and the server's own words, for a condition.
    #[must_use]
    pub fn explanation(&self) -> String {
        match &self.cause {
            Cause::Foreign => format!("{} exists but does not belong to this Indexer", self.object),
            Cause::Call(error) => match error.as_ref() {
                kube::Error::Api(status) => format!("{self}: {}", status.message),
                other => format!("{self}: {other}"),
            },
            Cause::Timeout => format!("{self}: {}", self.cause),
        }
    }
}

impl Error {
    pub(super) fn new(action: &'static str, kind: ChildKind, name: &str, cause: Cause) -> Self {
        Self {
            action,
            object: format!("{} {name}", kind.api_resource().kind),
            revision: None,
            cause,
        }
    }

    pub(super) fn of_child(action: &'static str, child: &Child, cause: Cause) -> Self {
        Self {
            revision: child.revision(),
            ..Self::new(action, child.kind, &child.name, cause)
        }
    }

    pub(super) fn of_indexer(action: &'static str, key: &Key, cause: Cause) -> Self {
        Self {
            action,
            object: format!("Indexer {}", key.name),
            revision: None,
            cause,
        }
    }
}

/// Waits for an answer, for at most [`CALL_TIMEOUT`].
pub(super) async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Cause> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answered) => answered.map_err(|error| Cause::Call(Box::new(error))),
        Err(_) => Err(Cause::Timeout),
    }
}
