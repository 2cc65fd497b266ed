//! The program and what it connects to: a server that plays the API server, or a proxy on the way to it.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with a kubeconfig, of which `KUBECONFIG` also names one that is not there, and a proxy in it.
fn program(folder: &Path, server: &str, proxy: &str) -> Command {
    let kubeconfig = folder.join("config");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
          clusters: [{{name: c, cluster: {{server: '{server}', insecure-skip-tls-verify: true, proxy-url: '{proxy}'}}}}],
          users: [{{name: u, user: {{}}}}]}}"
    );
    fs::write(&kubeconfig, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_kubectl-shrewd"));
    program
        .env_clear()
        .env("KUBECONFIG", format!("/nonexistent/config:{}", kubeconfig.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

/// A port, and the first bytes that come to it; whoever sends them gets no answer.
fn listener() -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut bytes = vec![0; 4096];
        let length = connection.read(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    });
    (port, first)
}

#[test]
fn the_server_is_reached_through_a_proxy_unless_no_proxy_names_it() {
    let folder = tempfile::tempdir().unwrap();
    // An address of this machine that does not look like one.
    let address = "0.0.0.0";
    let cases = [
        ("", "HTTPS_PROXY", "http://", "example", format!("CONNECT {address}:")),
        ("http://", "UNUSED", "", address, format!("CONNECT {address}:")),
        ("socks5://", "UNUSED", "", "", "\u{5}\u{1}\0".into()),
        // The beginning of TLS with the server itself.
        ("", "https_proxy", "", "other,0.0.0.0/8", "\u{16}\u{3}".into()),
    ];
    for (declared, variable, scheme, none, expected) in cases {
        let (port, first) = listener();
        let declared = if declared.is_empty() {
            String::new()
        } else {
            format!("{declared}127.0.0.1:{port}")
        };
        let (server, proxy) = match scheme {
            // The proxy of the environment leads nowhere.
            "" => (format!("https://{address}:{port}"), "127.0.0.1:9".to_owned()),
            scheme => (format!("https://{address}:9"), format!("{scheme}127.0.0.1:{port}")),
        };
        let mut program = program(folder.path(), &server, &declared);
        let output = program
            .arg("top")
            .env(variable, proxy)
            .env("NO_PROXY", none)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let first = String::from_utf8_lossy(&first.join().unwrap()).into_owned();
        assert!(
            first.starts_with(&expected),
            "{none}: {first:?}, and it said {output:?}"
        );
    }
}

#[test]
fn a_no_proxy_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = program(folder.path(), "https://0.0.0.0:9", "http://127.0.0.1:9");
    let output = program.arg("top").env("NO_PROXY", "a,,b").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: the environment variable NO_PROXY cannot be read"),
        "{error}"
    );
}

/// An API server with an Indexer and a pod whose guest writes a line every few milliseconds and never ends.
fn endless() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((connection, _)) = listener.accept() {
            thread::spawn(move || answer(connection));
        }
    });
    port
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    let mut request = BufReader::new(connection.try_clone()?).lines();
    let path = request.next().transpose()?.unwrap_or_default();
    while request.next().transpose()?.is_some_and(|header| !header.is_empty()) {}
    let line = "2026-11-20T12:00:00.1Z  INFO guest: one height=7\n";
    write!(connection, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
    if path.contains("follow=true") {
        loop {
            write!(connection, "{}", line.replace("00.1Z", "00.2Z"))?;
            thread::sleep(Duration::from_millis(5));
        }
    }
    if path.contains("/log?") {
        return write!(connection, "{line}");
    }
    if path.contains("/pods?") {
        let pods = r#"{"metadata":{},"items":[{"metadata":{"name":"pod-0"}}]}"#;
        return connection.write_all(pods.as_bytes());
    }
    let indexer = fs::read_to_string(format!("{}/tests/stages/following/in.yaml", env!("CARGO_MANIFEST_DIR")))?;
    let indexer: serde_json::Value = serde_yaml::from_str(&indexer).map_err(io::Error::other)?;
    write!(connection, "{indexer}")
}

/// The code with which a program ends by itself.
fn code(mut program: Child) -> Option<i32> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(status) = program.try_wait().unwrap() {
            return status.code();
        }
        thread::sleep(Duration::from_millis(20));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    None
}

#[test]
fn following_ends_well_when_the_reader_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = program(folder.path(), &format!("http://127.0.0.1:{}", endless()), "");
    let mut program = program.args(["logs", "--guest", "outpoints", "-f"]).spawn().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "2026-11-20T12:00:00.1Z   block 7   one");
    assert_eq!(lines.next().unwrap().unwrap(), "2026-11-20T12:00:00.2Z   block 7   one");
    drop(lines);
    assert_eq!(code(program), Some(0));
}
