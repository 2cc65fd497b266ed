//! The API server, the only thing that is contacted: pods are reached through it.

use std::{env, path::PathBuf, time::Duration};

use futures::Future;
use http::Uri;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, KubeconfigError},
};

use crate::{
    failure::Failure,
    kubeconfig,
    proxy::{self, Environment},
    rights::Right,
};

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
    let found = kubeconfig::read(place.kubeconfig.as_deref()).map_err(Failure::of_kubeconfig)?;
    let Some(kubeconfig) = found else {
        // In a pod there is none, and the pod's own account serves; but that has no contexts.
        let is_meant = place.context.is_none();
        let own = is_meant.then(Config::incluster);
        return own.and_then(Result::ok).ok_or(Failure::NoKubeconfig);
    };
    let declared = kubeconfig::proxy_url(&kubeconfig, place.context.as_deref()).map(str::to_owned);
    let options = KubeConfigOptions {
        context: place.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(Failure::of_kubeconfig)?;
    let proxy = proxy::proxy(declared.as_deref(), &config.cluster_url, &environment());
    let url: Result<Option<Uri>, _> = proxy.map(|url| url.parse()).transpose();
    config.proxy_url = url.map_err(|error| Failure::of_kubeconfig(KubeconfigError::ParseProxyUrl(error)))?;
    Ok(config)
}

/// Variables that are empty are not set.
fn environment() -> Environment {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
    Environment {
        https: either("HTTPS_PROXY"),
        http: either("HTTP_PROXY"),
        none: either("NO_PROXY"),
    }
}
