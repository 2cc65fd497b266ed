//! Modules from a web server and from a registry, each a small one in this process whose answers the test chooses.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests, though the lints see that of marked functions only.

mod file;
mod http;
mod process;
mod registry;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, middleware};
use crds::pod::{Config, Module};
use indexer::module::{Limits, Source};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that stand for a module: nobody here looks into them.
const BYTES: &[u8] = b"a module, some say";

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Where nobody listens.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A server that counts what it is asked.
struct Server {
    at: SocketAddr,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    async fn new(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let counted = router.layer(middleware::map_request(move |request: axum::extract::Request| {
            counter.fetch_add(1, Ordering::Relaxed);
            async move { request }
        }));
        let task = tokio::spawn(async move { axum::serve(listener, counted).await.unwrap() });
        Self { at, asked, task }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One pod's volume.
struct Volume(TempDir);

impl Volume {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn config(&self, module: Module) -> Config {
        let mut config: Config = serde_yaml::from_str(include_str!("../data/config.yaml")).unwrap();
        config.module = module;
        config.data_dir = self.0.path().into();
        config.identity.module_sha256 = sha256(BYTES);
        config
    }

    /// What loading the module gives: its bytes, or the reason and the text.
    async fn load(&self, module: Module) -> Result<Vec<u8>, (&'static str, String)> {
        self.load_within(module, (PATIENCE * 2, PATIENCE * 2)).await
    }

    /// With so long for silence, and for all of it.
    async fn load_within(
        &self,
        module: Module,
        (idle, total): (Duration, Duration),
    ) -> Result<Vec<u8>, (&'static str, String)> {
        let limits = Limits {
            bytes: 1 << 20,
            idle,
            total,
        };
        let told = |e: indexer::module::Error| (e.reason(), format!("{:#}", anyhow::Error::from(e)));
        let source = Source::new(&self.config(module), &limits).map_err(told)?;
        let bytes = tokio::time::timeout(PATIENCE, source.bytes()).await;
        bytes.expect("an end in time").map_err(told)
    }
}
