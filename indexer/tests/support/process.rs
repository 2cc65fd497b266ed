//! The real program over a folder: started, asked, killed.
#![allow(dead_code)] // Each test program compiles this for itself and uses a part.
#![allow(clippy::expect_used, clippy::unwrap_used)] // Tests, though the lints do not see it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crds::pod::{Config, Status};
use serde_json::{Value, json};

use crate::ports::free_port;

/// How long a process may take to do what it is waited for; a busy machine is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What to run.
pub(crate) struct Setup {
    /// The module's file.
    pub(crate) module: PathBuf,
    /// The node's address.
    pub(crate) node: String,
    /// The folder of the database.
    pub(crate) data: PathBuf,
    /// More flags.
    pub(crate) flags: Vec<String>,
    /// Variables of its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A running `shrewd-indexer`, killed with the test. What it logs goes to a file beside its data.
pub(crate) struct Process {
    child: Child,
    rpc: String,
    ops: String,
    log: PathBuf,
    client: reqwest::Client,
}

impl Setup {
    /// Starts it for a node of regtest. Its ports are not open yet.
    pub(crate) fn start(&self) -> Process {
        self.start_on(&["--network", "regtest"])
    }

    /// Starts it with these flags about the network, or none.
    pub(crate) fn start_on(&self, network: &[&str]) -> Process {
        let (rpc, ops) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
        command
            .arg("run")
            .args(network)
            .arg("--indexer")
            .arg(&self.module)
            .arg("--daemon-rpc-url")
            .arg(&self.node)
            .arg("--db-path")
            .arg(&self.data)
            .args(["--port", &rpc.to_string(), "--ops-port", &ops.to_string()])
            .args(&self.flags)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        Process::spawn(&mut command, self.data.with_extension("log"), [rpc, ops])
    }
}

/// Starts it as the operator does, with a configuration and no flags. The ports are chosen here.
pub(crate) fn start_configured(mut config: Config) -> Process {
    let (rpc, ops) = (free_port(), free_port());
    config.rpc_listen = format!("127.0.0.1:{rpc}");
    config.ops_listen = format!("127.0.0.1:{ops}");
    let file = config.data_dir.with_extension("yaml");
    fs::write(&file, serde_yaml::to_string(&config).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
    command.args(["run", "--config"]).arg(file);
    Process::spawn(&mut command, config.data_dir.with_extension("log"), [rpc, ops])
}

impl Process {
    fn spawn(command: &mut Command, log: PathBuf, [rpc, ops]: [u16; 2]) -> Self {
        let output = File::options().create(true).append(true).open(&log).unwrap();
        // What a test sets for it stays: only what is inherited goes.
        for inherited in ["SHREWD_AUTH", "SHREWD_LOG_FORMAT", "RUST_LOG"] {
            if !command.get_envs().any(|(name, _)| name == inherited) {
                command.env_remove(inherited);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("start shrewd-indexer");
        Self {
            child,
            rpc: format!("http://127.0.0.1:{rpc}/"),
            ops: format!("http://127.0.0.1:{ops}/"),
            log,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Base URL of its ops port, as a configuration names it.
    pub(crate) fn ops_url(&self) -> String {
        self.ops.trim_end_matches('/').into()
    }

    /// What it reports; none while its port is not open.
    pub(crate) async fn status(&self) -> Option<Status> {
        let answer = self.client.get(format!("{}status", self.ops)).send().await.ok()?;
        Some(answer.json().await.expect("a status"))
    }

    /// Its metrics, as text.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.client.get(format!("{}metrics", self.ops)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Posts a request with this id to its ops port; the code and the text of the answer.
    pub(crate) async fn request(&self, path: &str, id: &str) -> (u16, String) {
        let request = self.client.post(format!("{}{path}", self.ops));
        let answer = request.body(json!({ "id": id }).to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until its report is so.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, holds: impl Fn(&Status) -> bool) -> impl Future<Output = Status> {
        let end = Instant::now() + PATIENCE;
        async move {
            let mut last = None;
            loop {
                if let Some(status) = self.status().await {
                    if holds(&status) {
                        return status;
                    }
                    last = Some(status);
                }
                let exited = self.child.try_wait().unwrap();
                assert!(exited.is_none(), "waited for {what}: {exited:?}\n{}", self.log());
                assert!(Instant::now() < end, "waited for {what}: {last:#?}\n{}", self.log());
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// Waits until this block is the tip of the index.
    pub(crate) async fn wait_for_tip(&mut self, at: indexer::chain::BlockRef) -> Status {
        let hash = at.hash.to_string();
        self.wait(&format!("block {} {hash}", at.height), |status| {
            status.block_hash.as_ref() == Some(&hash)
        })
        .await
    }

    /// A JSON-RPC call that succeeds; its result.
    pub(crate) async fn call(&self, method: &str, params: Value) -> String {
        let answer = self
            .ask(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
            .await;
        result(&answer)
    }

    /// Calls of one method, in one batch; their results.
    pub(crate) async fn call_each(&self, method: &str, params: impl Iterator<Item = Value>) -> Vec<String> {
        let calls = params.map(|params| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        let calls: Vec<Value> = calls.collect();
        let mut results = Vec::new();
        // The longest batch that is answered.
        for batch in calls.chunks(1000) {
            let answers = self.ask(Value::from(batch)).await;
            results.extend(answers.as_array().expect("an answer for each").iter().map(result));
        }
        results
    }

    /// Whatever it answers to this body.
    pub(crate) async fn ask(&self, body: Value) -> Value {
        let request = self.client.post(&self.rpc).body(body.to_string());
        request.send().await.unwrap().json().await.unwrap()
    }

    /// SIGKILL, and its end.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the end is up to the process.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.child.id())])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn exit(&mut self) -> impl Future<Output = ExitStatus> {
        let end = Instant::now() + PATIENCE;
        async move {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                assert!(Instant::now() < end, "it does not end:\n{}", self.log());
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// All it has logged, and those before it over the same folder.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stays the same in two indexes of one chain, however they came about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) tip: indexer::chain::BlockRef,
    /// Digests of all heights: equal ones mean equal writes.
    pub(crate) digests: Vec<String>,
    pub(crate) hashes: Vec<String>,
    /// Rows: one for each key and height at which it was written.
    pub(crate) entries: u64,
    /// A view's answer at every height.
    pub(crate) values: Vec<String>,
}

impl Index {
    /// Waits until the process has indexed up to this block, then asks it for everything.
    pub(crate) async fn of(process: &mut Process, tip: indexer::chain::BlockRef) -> Self {
        process.wait_for_tip(tip).await;
        let heights = || (0..=tip.height.0).map(|height| json!([height]));
        let key = format!("0x{}", hex::encode("mix"));
        let views = (0..=tip.height.0).step_by(17).map(|height| json!(["get", key, height]));
        let snapshot = process.call("metashrew_snapshot", json!([])).await;
        let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
        Self {
            tip,
            digests: process.call_each("metashrew_stateroot", heights()).await,
            hashes: process.call_each("metashrew_getblockhash", heights()).await,
            entries: snapshot["total_entries"].as_u64().unwrap(),
            values: process.call_each("metashrew_view", views).await,
        }
    }
}

fn result(answer: &Value) -> String {
    let result = answer["result"].as_str();
    result.unwrap_or_else(|| panic!("no result in {answer}")).to_owned()
}

/// Writes the module of a text to a folder; its file.
pub(crate) fn module(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("module.wasm");
    fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
    file
}
