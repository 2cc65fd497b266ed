//! A real Bitcoin node for a test: started in a folder of its own, killed with the test.
#![allow(dead_code)] // Each test program compiles this for itself and uses a part.
#![allow(clippy::expect_used, clippy::unwrap_used)] // Tests, though the lints do not see it.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use crds::pod;
use indexer::chain::{BlockRef, Height};
use tempfile::TempDir;

use crate::ports::free_port;

const USERNAME: &str = "someone";
const PASSWORD: &str = "something";

/// A node. Without other words, one of regtest, with REST, without peers.
pub(crate) struct Node {
    folder: PathBuf,
    /// Removed with the node, unless its folder was given.
    temporary: Option<TempDir>,
    chain: String,
    arguments: Vec<String>,
    port: u16,
    process: Option<Child>,
    branch: u32,
}

impl Node {
    /// Starts a regtest node with REST.
    pub(crate) fn start() -> Self {
        Self::start_with(&["-rest=1"])
    }

    /// Starts a node with these arguments besides those every one has; without `-chain=` it is one of regtest.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Block files of 64 KiB: to reserve 16 MiB for a file again and again is most of what mining takes otherwise.
        let mut node = Self::start_in(folder.path(), &[&["-fastprune"], arguments].concat());
        node.temporary = Some(folder);
        node
    }

    /// Starts a node on a folder that stays.
    pub(crate) fn start_in(folder: &Path, arguments: &[&str]) -> Self {
        for (name, content) in [("username", USERNAME), ("password", PASSWORD)] {
            // A text editor ends a file with a line break.
            fs::write(folder.join(name), format!("{content}\n")).unwrap();
        }
        let (chain, arguments): (Vec<_>, Vec<_>) = arguments
            .iter()
            .map(ToString::to_string)
            .partition(|argument| argument.starts_with("-chain="));
        let chain = chain.into_iter().next().unwrap_or("-chain=regtest".into());
        let mut node = Self {
            folder: folder.to_owned(),
            temporary: None,
            chain,
            arguments,
            port: free_port(),
            process: None,
            branch: 0,
        };
        node.resume();
        node
    }

    /// Starts it again after [`Node::stop`]: same folder, same address.
    pub(crate) fn resume(&mut self) {
        let mut command = self.program("bitcoind");
        command.args([
            "-server=1",
            "-listen=0",
            "-noconnect",
            "-dnsseed=0",
            "-fixedseeds=0",
            "-persistmempool=0",
        ]);
        command.args([
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            "-dbcache=16",
            "-par=1",
            "-printtoconsole=0",
        ]);
        command.args(&self.arguments);
        self.process = Some(command.stdout(Stdio::null()).spawn().expect("start bitcoind"));
        self.call("getblockcount", &[]);
    }

    /// Stops it; its data stays.
    pub(crate) fn stop(&mut self) {
        self.call("stop", &[]);
        self.process.take().expect("a running node").wait().unwrap();
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder with the files `username` and `password`.
    pub(crate) fn credentials_dir(&self) -> PathBuf {
        self.folder.clone()
    }

    /// User and password.
    pub(crate) fn credentials(&self) -> (&'static str, &'static str) {
        (USERNAME, PASSWORD)
    }

    /// Its cookie, for a node of regtest that was started with `-rpccookieperms=owner`.
    pub(crate) fn cookie_file(&self) -> PathBuf {
        self.folder.join("regtest/.cookie")
    }

    /// The folder with its blocks, for a node of regtest.
    pub(crate) fn blocks_dir(&self) -> PathBuf {
        self.folder.join("regtest/blocks")
    }

    /// It as the only source, without credentials: so by REST.
    pub(crate) fn source(&self) -> pod::Source {
        pod::Source {
            urls: vec![self.url()],
            ..pod::Source::default()
        }
    }

    /// It as the only source, with credentials.
    pub(crate) fn source_with_credentials(&self) -> pod::Source {
        pod::Source {
            credentials_dir: Some(self.credentials_dir()),
            ..self.source()
        }
    }

    /// Mines so many blocks on the best chain; gives the new tip. Anyone can spend the coinbases, with an empty script.
    pub(crate) fn mine(&mut self, count: u32) -> BlockRef {
        // A number in the script keeps a second branch from being the first one once more.
        let script = match self.branch {
            0 => "51".into(),
            branch => format!("04{}7551", hex::encode(branch.to_be_bytes())),
        };
        self.call("generatetodescriptor", &[&count.to_string(), &format!("raw({script})")]);
        self.tip()
    }

    /// Takes the block at a height and all above it out of the chain. What is mined next is another branch.
    pub(crate) fn invalidate(&mut self, height: u32) -> BlockRef {
        let gone = self.at(height);
        self.call("invalidateblock", &[&gone.hash.to_string()]);
        self.branch += 1;
        gone
    }

    /// Takes back [`Node::invalidate`].
    pub(crate) fn reconsider(&mut self, block: BlockRef) {
        self.call("reconsiderblock", &[&block.hash.to_string()]);
    }

    /// Gives it a block, as a peer would.
    pub(crate) fn submit(&mut self, bytes: &[u8]) {
        let answer = self.call("submitblock", &[&hex::encode(bytes)]);
        // It says so, too, when the block is on a branch that is not the best one.
        assert!(
            matches!(answer.as_str(), "" | "inconclusive"),
            "the node refuses the block: {answer}"
        );
    }

    /// Its last block.
    pub(crate) fn tip(&self) -> BlockRef {
        self.at(self.call("getblockcount", &[]).parse().unwrap())
    }

    /// Its block at a height.
    pub(crate) fn at(&self, height: u32) -> BlockRef {
        let hash = self.call("getblockhash", &[&height.to_string()]).parse().unwrap();
        BlockRef {
            height: Height(height),
            hash,
        }
    }

    /// The bytes of a block.
    pub(crate) fn block(&self, at: BlockRef) -> Vec<u8> {
        hex::decode(self.call("getblock", &[&at.hash.to_string(), "0"])).unwrap()
    }

    /// Any RPC of the node; gives what bitcoin-cli prints: JSON, or a bare string.
    pub(crate) fn call(&self, method: &str, arguments: &[&str]) -> String {
        let mut command = self.program("bitcoin-cli");
        // Right after its start a node does not listen yet. Arguments go by standard input: a block is too long for them.
        command.args(["-rpcwait", "-rpcwaittimeout=60", "-stdin", method]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("start bitcoin-cli");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(arguments.join("\n").as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{method}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(programs().join("bin").join(name));
        command
            .arg(&self.chain)
            .arg(format!("-datadir={}", self.folder.display()))
            .arg(format!("-rpcport={}", self.port));
        // A node that is given credentials writes no cookie.
        if !self.arguments.iter().any(|argument| argument.starts_with("-rpccookie")) {
            command
                .arg(format!("-rpcuser={USERNAME}"))
                .arg(format!("-rpcpassword={PASSWORD}"));
        }
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have died by itself; then there is nothing to end.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The folder with the node's programs: `SHREWD_BITCOIND_DIR`, or what `tests/node/bitcoind path` provides.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        if let Some(folder) = env::var_os("SHREWD_BITCOIND_DIR") {
            return folder.into();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/node/bitcoind");
        let output = Command::new(&script)
            .arg("path")
            .stderr(Stdio::inherit())
            .output()
            .expect("run tests/node/bitcoind");
        assert!(
            output.status.success(),
            "no Bitcoin node: see what `tests/node/bitcoind path` says"
        );
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}
