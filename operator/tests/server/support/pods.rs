//! Pods that answer: a real HTTP server for each, on an address of its own on loopback, that says what an indexer at the
//! tip says.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use axum::{Json, Router, routing::get};
use crds::pod::{OPS_PORT, STATUS_PATH, Status};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// See the module. They end when this is dropped.
#[derive(Default)]
pub(crate) struct Pods {
    running: HashMap<String, (IpAddr, JoinHandle<()>)>,
    started: u16,
}

impl Pods {
    /// The address of a pod with this unique id, which is started if it does not run yet.
    pub(crate) async fn address(&mut self, uid: &str, status: Status) -> IpAddr {
        if let Some((address, _)) = self.running.get(uid) {
            return *address;
        }
        let listener = self.listener().await;
        let address = listener.local_addr().unwrap().ip();
        let answer = move || async move { Json(status) };
        let served = axum::serve(listener, Router::new().route(STATUS_PATH, get(answer)));
        let task = tokio::spawn(async move { served.await.unwrap() });
        self.running.insert(uid.to_owned(), (address, task));
        address
    }

    /// Ends all but these.
    pub(crate) fn keep(&mut self, uids: &[String]) {
        self.running.retain(|uid, (_, task)| {
            let stays = uids.contains(uid);
            if !stays {
                task.abort();
            }
            stays
        });
    }

    /// On the next address that is free: other tests may have some.
    async fn listener(&mut self) -> TcpListener {
        loop {
            self.started += 1;
            let [high, low] = self.started.to_be_bytes();
            let address = Ipv4Addr::new(127, 77, high, low);
            if let Ok(listener) = TcpListener::bind((address, OPS_PORT)).await {
                return listener;
            }
        }
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.keep(&[]);
    }
}

/// What a pod of this Indexer (`NAMESPACE/NAME`), revision and module says that is at the tip.
pub(crate) fn at_the_tip(indexer: &str, revision: &str, module: &str) -> Status {
    let good = |reason: &str| -> Value { json!({"ok": true, "reason": reason, "message": ""}) };
    serde_json::from_value(json!({
        "version": "0.2.0",
        "indexer": indexer,
        "revision": revision,
        "moduleSha256": module,
        "storeFormat": crds::STORE_FORMAT,
        "phase": "Following",
        "ready": true,
        "height": 100,
        "blockHash": "cd".repeat(32),
        "digest": "ef".repeat(32),
        "tip": 100,
        "behind": 0,
        "module": good(crds::pod::module_reasons::VERIFIED),
        "source": good(crds::pod::source_reasons::FOLLOWING),
        "memory": {"guestBytes": 30 << 20, "guestPeakBytes": 61 << 20, "guestPeakHeight": 90, "residentBytes": 200 << 20,
                   "thresholdBytes": 64 << 20, "limitBytes": 4_u64 << 30},
        "volume": {"capacityBytes": 50_u64 << 30, "freeBytes": 40_u64 << 30},
    }))
    .unwrap()
}
