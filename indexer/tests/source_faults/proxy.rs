//! A proxy between the indexer and a node that corrupts some of the answers.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use crate::seeded::Seeded;

/// The longest pause before an answer that is late; far below what a client waits.
const LATE_MS_MAX: u64 = 30;
/// How long an answer waits for another one to change places with.
const SWAP_WITHIN: Duration = Duration::from_millis(100);

/// What is done to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// Sent later.
    Late,
    /// The connection ends in the middle of it.
    BreaksOff,
    /// Its end is missing, and the length says so.
    Shorter,
    /// One bit is another.
    Changed,
    /// It is the answer given before to a question of this kind.
    OfAnother,
    /// Two answers of this kind change places.
    Swapped,
    /// Not it but this status.
    Status(u16),
    /// Nothing, and the connection is reset.
    Reset,
}

/// Which answers are spoiled: told the path of a request, and how often it has been asked for before.
pub(crate) type Choose = Box<dyn FnMut(&str, u32) -> Option<Fault> + Send>;

/// A proxy, for as long as this lives.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    server: JoinHandle<()>,
}

struct Shared {
    node: String,
    client: reqwest::Client,
    state: Mutex<State>,
}

struct State {
    choose: Choose,
    seeded: Seeded,
    /// How often each path was asked for.
    asked: HashMap<String, u32>,
    done: HashMap<Fault, u32>,
    /// The last answer of each kind.
    before: HashMap<String, Vec<u8>>,
    /// An answer that waits for another one of its kind.
    waiting: HashMap<String, (Vec<u8>, oneshot::Sender<Vec<u8>>)>,
}

impl Proxy {
    /// In front of the node with this address, spoiling nothing.
    pub(crate) async fn new(node: String, seeded: Seeded) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            node,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            state: Mutex::new(State {
                choose: Box::new(|_, _| None),
                seeded,
                asked: HashMap::new(),
                done: HashMap::new(),
                before: HashMap::new(),
                waiting: HashMap::new(),
            }),
        });
        let serving = shared.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = serving.clone();
                // A client that goes away is none of the proxy's business.
                tokio::spawn(async move { shared.serve(stream).await });
            }
        });
        Self { shared, port, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on answers are spoiled as this says. Gives how often each fault was done before.
    pub(crate) fn spoil(&self, choose: Choose) -> HashMap<Fault, u32> {
        let mut state = self.shared.state.lock().unwrap();
        state.choose = choose;
        std::mem::take(&mut state.done)
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> u32 {
        self.shared.state.lock().unwrap().asked.get(path).copied().unwrap_or(0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// Answers the requests of one connection until one of them is to end it.
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        while let Some((line, body)) = read_request(&mut client).await? {
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let (status, mut answer) = self.ask(&line, &path, body).await;
            let kind = kind(&path);
            if let Some(other) = self.given_for(&kind, &answer) {
                answer = other;
            }
            let fault = self.choose(&path);
            match fault {
                None => {}
                Some(Fault::Late) => {
                    let pause = self.state.lock().unwrap().seeded.one_of(1..=LATE_MS_MAX);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Some(Fault::BreaksOff) => {
                    client.write_all(head(status, answer.len()).as_bytes()).await?;
                    return client.write_all(&answer[..answer.len() / 2]).await;
                }
                Some(Fault::Shorter) => answer.truncate(self.within(&answer)),
                Some(Fault::Changed) => {
                    let at = self.within(&answer);
                    answer[at] ^= 1 << self.state.lock().unwrap().seeded.one_of(0..=7);
                }
                Some(Fault::OfAnother) => {
                    let mut state = self.state.lock().unwrap();
                    answer = state.before.insert(kind.clone(), answer.clone()).unwrap_or(answer);
                }
                Some(Fault::Swapped) => answer = self.swap(&kind, answer).await,
                Some(Fault::Status(status)) => {
                    client.write_all(head(status, 0).as_bytes()).await?;
                    continue;
                }
                Some(Fault::Reset) => return client.set_zero_linger(),
            }
            self.state.lock().unwrap().before.insert(kind, answer.clone());
            client
                .write_all(&[head(status, answer.len()).as_bytes(), &answer].concat())
                .await?;
        }
        Ok(())
    }

    /// The node's own answer.
    async fn ask(&self, line: &str, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let url = format!("{}{path}", self.node);
        let request = if line.starts_with("POST") {
            self.client.post(url).body(body)
        } else {
            self.client.get(url)
        };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    fn choose(&self, path: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let asked = state.asked.entry(path.to_owned()).or_default();
        *asked += 1;
        let before = *asked - 1;
        let fault = (state.choose)(path, before)?;
        *state.done.entry(fault).or_default() += 1;
        Some(fault)
    }

    /// A place in an answer; none is empty.
    fn within(&self, answer: &[u8]) -> usize {
        let last = answer.len().saturating_sub(1) as u64;
        usize::try_from(self.state.lock().unwrap().seeded.one_of(0..=last)).unwrap()
    }

    /// The answer of somebody who waits to change it for another one of its kind, which is this one.
    fn given_for(&self, kind: &str, answer: &[u8]) -> Option<Vec<u8>> {
        let (other, sender) = self.state.lock().unwrap().waiting.remove(kind)?;
        sender.send(answer.to_vec()).is_ok().then_some(other)
    }

    /// Waits a while for another answer of this kind; gives that one.
    async fn swap(&self, kind: &str, answer: Vec<u8>) -> Vec<u8> {
        let (sender, received) = oneshot::channel();
        let waiting = (answer.clone(), sender);
        self.state.lock().unwrap().waiting.insert(kind.to_owned(), waiting);
        match timeout(SWAP_WITHIN, received).await {
            Ok(Ok(other)) => other,
            _ => {
                self.state.lock().unwrap().waiting.remove(kind);
                answer
            }
        }
    }
}

/// What a request asks for, without of which block.
fn kind(path: &str) -> String {
    path.split('/').take(3).collect::<Vec<_>>().join("/")
}

fn head(status: u16, length: usize) -> String {
    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n")
}

/// The request line and the body; none at the end of the connection.
async fn read_request(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().unwrap());
    let line = String::from_utf8_lossy(&read[..end])
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut body = read.split_off(end);
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((line, body)))
}
