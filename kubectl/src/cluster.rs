//! The API server, the only thing that is contacted: pods are reached through it.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::Future;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::{failure::Failure, rights::Right};

/// A call takes milliseconds; a list of a large cluster a few seconds. After this it is given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A server that is there accepts a connection at once, also over slow links.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which cluster, and where in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file that says how to reach clusters; none: as kubectl finds it.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; none: the current one.
    pub context: Option<String>,
    /// The namespace; none: the context's.
    pub namespace: Option<String>,
}

/// A cluster, and the namespace that commands are about.
#[derive(Clone)]
pub struct Cluster {
    /// The client of its API server.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// How long one call may take.
    pub timeout: Duration,
}

impl Cluster {
    /// The cluster that a place names.
    ///
    /// # Errors
    /// If there is no kubeconfig, or it does not lead to a cluster.
    pub async fn at(place: &Place) -> Result<Self, Failure> {
        let mut config = config(place).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let namespace = place.namespace.clone().unwrap_or(config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Failure::Unreachable(Box::new(error)))?;
        Ok(Self {
            client,
            namespace,
            timeout: CALL_TIMEOUT,
        })
    }

    /// The answer to a call, which takes this right.
    ///
    /// # Errors
    /// If there is none in time, or it is a refusal.
    pub async fn call<T>(
        &self,
        right: &Right,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(answer) => answer.map_err(|error| Failure::of(error, right)),
            Err(_) => Err(Failure::TimedOut {
                call: right.to_string(),
                limit: self.timeout,
            }),
        }
    }
}

async fn config(place: &Place) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: place.context.clone(),
        ..KubeConfigOptions::default()
    };
    match kubeconfig(place.kubeconfig.as_deref()) {
        Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(Failure::Kubeconfig),
        // In a pod there is none, and the pod's own account serves.
        Err(error) if is_missing(&error) && place.kubeconfig.is_none() => {
            Config::incluster().map_err(|_| Failure::NoKubeconfig)
        }
        Err(error) => Err(Failure::Kubeconfig(error)),
    }
}

fn kubeconfig(file: Option<&Path>) -> Result<Kubeconfig, KubeconfigError> {
    match file {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    }
}

fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::ReadConfig(error, _) => error.kind() == ErrorKind::NotFound,
        other => matches!(other, KubeconfigError::FindPath),
    }
}
