//! A relay in front of a server, by which connections break off and answers are refused. Bytes pass as they are, so
//! that signatures stay right.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing.
    Pass,
    /// The next so many requests get 503, as S3 has it for too many requests.
    Throttle(u32),
    /// Each connection ends after so many bytes of answers.
    CutAfter(u64),
}

/// A relay, for as long as the runtime lives.
pub(crate) struct Between {
    pub(crate) endpoint: String,
    state: Arc<State>,
}

struct State {
    port: u16,
    mode: Mutex<Mode>,
    throttled: AtomicU32,
    cut: AtomicU32,
    answered_bytes: AtomicU64,
}

impl Between {
    pub(crate) async fn new(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            port,
            mode: Mutex::new(Mode::Pass),
            throttled: AtomicU32::new(0),
            cut: AtomicU32::new(0),
            answered_bytes: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&accepting);
                // A client that goes away is none of the relay's business.
                tokio::spawn(async move { state.relay(client).await });
            }
        });
        Self { endpoint, state }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    /// Requests that got 503, and connections that were cut.
    pub(crate) fn done(&self) -> (u32, u32) {
        (self.state.throttled.load(SeqCst), self.state.cut.load(SeqCst))
    }

    /// Bytes that came from the server.
    pub(crate) fn answered_bytes(&self) -> u64 {
        self.state.answered_bytes.load(SeqCst)
    }
}

impl State {
    /// Whether the request that comes is to be refused.
    fn refuses(&self) -> bool {
        let mut mode = self.mode.lock().unwrap();
        match *mode {
            Mode::Throttle(left) if left > 0 => {
                *mode = Mode::Throttle(left - 1);
                self.throttled.fetch_add(1, SeqCst);
                true
            }
            _ => false,
        }
    }

    async fn relay(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        let length = client.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        if self.refuses() {
            // Enough for requests without a body, and for those whose body is small; of a longer one the connection breaks.
            let body = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>";
            let head = "HTTP/1.1 503 Slow Down\r\nconnection: close\r\ncontent-type: application/xml\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            client.write_all(answer.as_bytes()).await?;
            client.shutdown().await?;
            // What is left of the request is taken, so that the answer is not lost to a reset.
            while client.read(&mut piece).await? > 0 {}
            return Ok(());
        }
        let server = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.into_split();
        to_server.write_all(&piece[..length]).await?;
        let forth = async {
            tokio::io::copy(&mut from_client, &mut to_server).await?;
            to_server.shutdown().await
        };
        let back = async {
            let mut answered = 0;
            let mut piece = vec![0; 64 << 10];
            loop {
                let length = from_server.read(&mut piece).await?;
                if length == 0 {
                    return Ok(());
                }
                to_client.write_all(&piece[..length]).await?;
                answered += length as u64;
                self.answered_bytes.fetch_add(length as u64, SeqCst);
                let mode = *self.mode.lock().unwrap();
                if let Mode::CutAfter(most) = mode
                    && answered >= most
                {
                    self.cut.fetch_add(1, SeqCst);
                    return Ok::<_, std::io::Error>(());
                }
            }
        };
        // Whichever ends first ends the connection.
        tokio::select! {
            ended = forth => ended,
            ended = back => ended,
        }
    }
}
