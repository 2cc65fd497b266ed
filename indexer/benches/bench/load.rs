//! Clients that call a view: as lean as possible, since they share the CPU with what they measure.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep_until, timeout},
};

/// An answer that takes longer than this is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A call of a view.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    view: &'static str,
    input: Vec<u8>,
    /// None: as of the tip.
    height: Option<u32>,
}

impl Question {
    pub(crate) fn new(view: &'static str, input: Vec<u8>, height: Option<u32>) -> Self {
        Self { view, input, height }
    }

    fn body(&self) -> String {
        let height = self.height.map_or("latest".into(), |height| height.to_string());
        let params = json!([self.view, format!("0x{}", hex::encode(&self.input)), height]);
        json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": params}).to_string()
    }
}

/// One connection that asks the same question again and again.
pub(crate) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(port: u16, question: &Question) -> Self {
        let body = question.body();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connect to the indexer");
        stream.set_nodelay(true).expect("set TCP_NODELAY");
        Self {
            stream,
            request: request.into_bytes(),
            answer: Vec::new(),
        }
    }

    /// Asks once; the answer must be one.
    pub(crate) async fn ask(&mut self) {
        let asked = async {
            self.stream.write_all(&self.request).await.expect("send a request");
            self.answer.clear();
            loop {
                let got = self.stream.read_buf(&mut self.answer).await.expect("read an answer");
                assert!(got > 0, "the server hung up");
                if is_whole(&self.answer) {
                    break;
                }
            }
        };
        timeout(PATIENCE, asked).await.expect("an answer in time");
        let text = String::from_utf8_lossy(&self.answer);
        assert!(text.contains(r#""result":"0x"#), "no answer: {text}");
    }
}

/// Seconds until the answer, on a connection that is open.
pub(crate) async fn once(port: u16, question: &Question) -> f64 {
    let mut client = Client::connect(port, question).await;
    let asked = Instant::now();
    client.ask().await;
    asked.elapsed().as_secs_f64()
}

/// Whether head and body have come, by the length that the head tells.
fn is_whole(answer: &[u8]) -> bool {
    let text = std::str::from_utf8(answer).unwrap_or_default();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length == Some(body.len())
}

/// Answers a second, with so many connections for so long.
pub(crate) async fn throughput(port: u16, question: &Question, connections: usize, time: Duration) -> f64 {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(port, question).await);
    }
    let started = Instant::now();
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                let mut answers = 0_u32;
                while started.elapsed() < time {
                    client.ask().await;
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let mut answers = 0;
    for task in tasks {
        answers += task.await.expect("a client");
    }
    f64::from(answers) / started.elapsed().as_secs_f64()
}

/// Asks at a fixed pace until `stop`; gives how long each answer took, in milliseconds, from when it was due.
pub(crate) async fn paced(
    port: u16,
    question: Question,
    every: Duration,
    stop: tokio_util::sync::CancellationToken,
) -> Vec<f64> {
    let mut client = Client::connect(port, &question).await;
    let mut took = Vec::new();
    let mut due = Instant::now();
    while !stop.is_cancelled() {
        sleep_until(due.into()).await;
        client.ask().await;
        took.push(due.elapsed().as_secs_f64() * 1e3);
        due += every;
    }
    took
}
