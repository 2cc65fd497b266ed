//! A real S3 server for a test: started on a folder of its own, killed with the test.
#![allow(dead_code)] // Each test program compiles this for itself and uses a part.
#![allow(clippy::expect_used, clippy::unwrap_used)] // Tests, though the lints do not see it.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::ports::free_port;

/// Its only user.
pub(crate) const ACCESS_KEY: &str = "someone";
pub(crate) const SECRET_KEY: &str = "something-secret";
/// Its bucket.
pub(crate) const BUCKET: &str = "snapshots";
/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with one bucket, whose objects are files of a folder.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_below(&std::env::temp_dir())
    }

    /// The same with its folder in this one.
    pub(crate) fn start_below(dir: &Path) -> Self {
        let folder = tempfile::tempdir_in(dir).unwrap();
        for name in ["data", "temporary"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::create_dir(folder.path().join("data").join(BUCKET)).unwrap();
        let port = free_port();
        let mut server = Self {
            folder,
            port,
            process: None,
        };
        server.start_again();
        server
    }

    /// Starts it after [`Self::stop`], on the same port and folder.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(program());
        command
            .args(["--port", &format!("127.0.0.1:{}", self.port), "--quiet", "posix"])
            .arg(self.folder.path().join("data"))
            .env("ROOT_ACCESS_KEY", ACCESS_KEY)
            .env("ROOT_SECRET_KEY", SECRET_KEY)
            .current_dir(self.folder.path().join("temporary"));
        let started = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(started.expect("start versitygw"));
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "versitygw does not listen");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it; its data stays.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have died by itself; then there is nothing to end.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Its address.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder of the bucket: its objects by their names.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.folder.path().join("data").join(BUCKET)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What `tests/s3/versitygw path` provides.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/s3/versitygw");
        let output = Command::new(&script)
            .arg("path")
            .stderr(Stdio::inherit())
            .output()
            .expect("run tests/s3/versitygw");
        assert!(
            output.status.success(),
            "no S3 server: see what `tests/s3/versitygw path` says"
        );
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}
