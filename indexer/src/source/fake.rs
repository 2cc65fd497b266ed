//! An HTTP server that misbehaves on demand: for what no real node can be made to do.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Serves until it is dropped; one request per connection.
pub(super) struct Fake {
    /// Its address.
    pub(super) url: String,
    server: JoinHandle<()>,
}

impl Fake {
    /// `answer` gives, for a request line such as `GET /rest/chaininfo.json HTTP/1.1`, all bytes to send before the
    /// connection is closed. None: nothing is ever sent.
    pub(super) async fn new(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request_line(&mut stream).await;
                match answer(&request) {
                    Some(bytes) => stream.write_all(&bytes).await.unwrap(),
                    None => silent.push(stream),
                }
            }
        });
        Self { url, server }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer with a status and a body.
pub(super) fn answer(status: u16, body: &[u8]) -> Option<Vec<u8>> {
    let head = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Some([head.as_bytes(), body].concat())
}

/// Reads a whole request, since closing a connection with something unread resets it. Gives its first line.
async fn request_line(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut wanted = None;
    while wanted.is_none_or(|wanted| read.len() < wanted) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            count => read.extend_from_slice(&buffer[..count]),
        }
        let head_end = read.windows(4).position(|window| window == b"\r\n\r\n");
        wanted = wanted.or_else(|| head_end.map(|end| end + 4 + body_length(&read[..end])));
    }
    String::from_utf8_lossy(&read)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn body_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |length| length.trim().parse().unwrap())
}
