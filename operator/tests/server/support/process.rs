//! An operator as a process of its own.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{api_server::ApiServer, free_port, show_end, within};

/// The name of the Lease.
pub(crate) const LEASE: &str = "shrewd";

/// See the module. It is killed when dropped, and its log shown if the test failed.
pub(crate) struct Operator {
    pub(crate) name: String,
    pub(crate) process: Child,
    port: u16,
    log: PathBuf,
}

impl Operator {
    /// Starts one that reaches the server at this port, as the user of its name.
    pub(crate) fn start(name: &str, server: &ApiServer, port: u16) -> Self {
        Self::start_as(name, name, server, port, &[])
    }

    /// Starts one as another user, and with more flags.
    pub(crate) fn start_as(user: &str, name: &str, server: &ApiServer, port: u16, flags: &[&str]) -> Self {
        Self::start_with(user, name, server, port, &[&["--lease", LEASE], flags].concat(), &[])
    }

    /// Starts one without a Lease, which works at once, as the user of its name.
    pub(crate) fn start_alone(name: &str, server: &ApiServer, flags: &[&str]) -> Self {
        Self::start_with(name, name, server, server.port, flags, &[])
    }

    /// Starts one with nothing but these flags and variables.
    pub(crate) fn start_with(
        user: &str,
        name: &str,
        server: &ApiServer,
        port: u16,
        flags: &[&str],
        variables: &[(&str, &Path)],
    ) -> Self {
        let log = server.path(&format!("{name}.log"));
        let listen = free_port();
        let process = Command::new(env!("CARGO_BIN_EXE_shrewd-operator"))
            .arg("run")
            .args(["--listen", &format!("127.0.0.1:{listen}")])
            .args(flags)
            .env("KUBECONFIG", server.kubeconfig(user, port))
            .env("POD_NAME", name)
            .env("SHREWD_LOG", "info,operator=debug")
            // As the chart has it.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "65536")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn();
        Self {
            name: name.to_owned(),
            process: process.unwrap(),
            port: listen,
            log,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Kills it and waits for its end.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end_within(Duration::from_secs(10)).await;
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn end_within(&mut self, limit: Duration) -> (ExitStatus, Duration) {
        let what = format!("the end of {}", self.name);
        within(&what, limit, async || self.ended()).await
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The values of a metric, with each set of labels.
    pub(crate) async fn values(&self, metric: &str) -> Vec<f64> {
        let text = self.metrics().await.unwrap();
        let name = format!("shrewd_operator_{metric}");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&name));
        let values = lines.filter(|rest| rest.starts_with(['{', ' ']));
        values
            .map(|rest| rest.rsplit(' ').next().unwrap().parse().unwrap())
            .collect()
    }

    /// All its metrics. None: it does not answer.
    pub(crate) async fn metrics(&self) -> Option<String> {
        self.get("/metrics").await?.text().await.ok()
    }

    async fn get(&self, path: &str) -> Option<reqwest::Response> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build();
        client.unwrap().get(url).send().await.ok()
    }

    /// What it says of itself: whether it is ready, and whether it leads. None: it does not answer.
    pub(crate) async fn says(&self) -> Option<(bool, bool)> {
        let is_ready = self.get("/readyz").await?.status().is_success();
        let metrics = self.metrics().await?;
        let leads = metrics.lines().any(|line| line == "shrewd_operator_leader 1");
        let stands_by = metrics.lines().any(|line| line == "shrewd_operator_leader 0");
        assert!(leads != stands_by, "{metrics}");
        Some((is_ready, leads))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            show_end(&self.log);
        }
    }
}
