//! Why a command ends without having done what it should, in words that say what to do.

use std::time::Duration;

use kube::config::{KubeconfigError, NoProxyError};

use crate::rights::Right;

/// A failure of a command.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is nothing that names a cluster.
    #[error("no cluster is configured: there is no kubeconfig; set KUBECONFIG, or give --kubeconfig FILE")]
    NoKubeconfig,
    /// The kubeconfig does not lead to a cluster.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[source] KubeconfigError),
    /// The list of servers that are reached without a proxy has a form that is not known.
    #[error(
        "the environment variable NO_PROXY cannot be read: with a proxy, it has to be a list with commas between hosts, \
         addresses and ranges of addresses, and without an empty one"
    )]
    NoProxy(#[source] NoProxyError),
    /// The API server could not be asked.
    #[error("the API server cannot be reached; which one it is, `kubectl config view --minify` says")]
    Unreachable(#[source] Box<kube::Error>),
    /// The API server, or a pod behind it, takes too long.
    #[error("no answer to `{call}` within {} seconds", .limit.as_secs())]
    TimedOut {
        /// The right that the call takes, which names it.
        call: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The cluster does not have the kind.
    #[error(
        "shrewd is not installed in this cluster: it has no resource indexers.shrewd.dev; \
         the charts shrewd-crds and shrewd install it"
    )]
    NotInstalled,
    /// There is no Indexer of this name.
    #[error("there is no Indexer {name} in namespace {namespace}{}", hint(.similar, .elsewhere))]
    NoSuchIndexer {
        /// The name that was given.
        name: String,
        /// Where it was looked for.
        namespace: String,
        /// Names there that are similar.
        similar: Vec<String>,
        /// Namespaces that have one of this name.
        elsewhere: Vec<String>,
    },
    /// Another object is not there.
    #[error("{0} was not found")]
    NotFound(String),
    /// A right is missing.
    #[error("you may not {right}: {}", .right.role())]
    Forbidden {
        /// Which one.
        right: Right,
    },
    /// The API server does not know who asks.
    #[error("the API server does not accept the credentials of the kubeconfig; they may have expired: log in again")]
    Unauthorized,
    /// The API server, or an admission webhook, does not do it.
    #[error("the API server refused it: {0}")]
    Refused(String),
    /// The object has changed, or changes, at the same time.
    #[error("the Indexer was changed by someone else at the same time; run the command again")]
    Conflict,
}

fn hint(similar: &[String], elsewhere: &[String]) -> String {
    match (similar, elsewhere) {
        ([], []) => "; `kubectl shrewd top -A` lists all there are".into(),
        ([], elsewhere) => format!("; there is one in namespace {}", elsewhere.join(", ")),
        (similar, _) => format!("; similar: {}", similar.join(", ")),
    }
}

impl Failure {
    /// What an error about the kubeconfig, or the environment, means.
    #[must_use]
    pub fn of_kubeconfig(error: KubeconfigError) -> Self {
        match error {
            KubeconfigError::ParseNoProxy(error) => Self::NoProxy(error),
            other => Self::Kubeconfig(other),
        }
    }

    /// What an error of a call means that takes this right.
    #[must_use]
    pub fn of(error: kube::Error, right: &Right) -> Self {
        let status = match error {
            kube::Error::Api(status) => status,
            other => return Self::Unreachable(Box::new(other)),
        };
        match status.code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden { right: right.clone() },
            // A server without the kind has no such path, and says so in plain text.
            404 if status.reason != "NotFound" => Self::NotInstalled,
            404 => Self::NotFound(status.message.trim_end_matches(" not found").to_owned()),
            409 => Self::Conflict,
            _ => Self::Refused(status.message.clone()),
        }
    }
}
