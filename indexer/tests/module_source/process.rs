//! A whole process whose module is not there yet.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use crds::{
    Phase,
    pod::{Module, Status, module_reasons},
};

use crate::{Server, Volume, free_address, sha256};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn status_with(ops: &str, reason: &str) -> Status {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(answer) = reqwest::get(format!("http://{ops}/status")).await {
            let status: Status = answer.json().await.unwrap();
            if status.module.reason == reason {
                return status;
            }
        }
        assert!(Instant::now() < deadline, "still no {reason}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_pod_says_that_its_module_cannot_be_fetched_and_goes_on_when_it_can() {
    let served: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let answer = {
        let served = served.clone();
        async move || match served.lock().unwrap().clone() {
            Some(bytes) => bytes.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    };
    let server = Server::new(Router::new().route("/m.wasm", get(answer))).await;
    let module = wat::parse_file("../tests/guests/plain.wat").unwrap();
    let volume = Volume::new();
    let mut config = volume.config(Module::Http {
        url: server.url("/m.wasm"),
    });
    config.identity.module_sha256 = sha256(&module);
    config.source = crds::pod::Source {
        urls: vec![format!("http://{}", free_address())],
        ..crds::pod::Source::default()
    };
    (config.rpc_listen, config.ops_listen) = (free_address(), free_address());
    let path = volume.0.path().join("config.yaml");
    fs::write(&path, serde_yaml::to_string(&config).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
    command
        .args(["run", "--config"])
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _running = Running(command.spawn().unwrap());

    let status = status_with(&config.ops_listen, module_reasons::FETCH_FAILED).await;
    assert_eq!((status.phase, status.module.ok), (Phase::ModuleInvalid, Some(false)));
    assert!(status.module.message.contains("HTTP 404"), "{}", status.module.message);
    *served.lock().unwrap() = Some(b"another".to_vec());
    status_with(&config.ops_listen, module_reasons::DIGEST_MISMATCH).await;
    *served.lock().unwrap() = Some(module);
    let status = status_with(&config.ops_listen, module_reasons::VERIFIED).await;
    assert_eq!(status.module.ok, Some(true));
}
