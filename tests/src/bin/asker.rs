//! The part of a test that must run inside the cluster: a client, somebody who tries doors, or an impostor of an index's
//! pod.
#![allow(clippy::print_stdout)] // a command's result goes there

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, Parser};
use e2e::asked::Asked;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// A request that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that takes longer is not made.
const DOOR_PATIENCE: Duration = Duration::from_millis(800);
/// The longest request head that is read. Bodies are not read.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// The part to play.
#[derive(Parser)]
enum Part {
    /// Calls a view at a fixed pace, each time over a new connection, so that every call follows the Service. Prints
    /// the answers so far as JSON, a line a second, until its time is over.
    Ask(Question),
    /// Tries to connect to each address, once a second, and prints which of them it reached as JSON, a line a second, until
    /// its time is over.
    Knock(Knocking),
    /// Answers every request on every path with the same JSON.
    Pretend(Pretence),
}

#[derive(Args)]
struct Question {
    /// JSON-RPC of the index.
    #[arg(long)]
    url: String,
    /// The view.
    #[arg(long)]
    function: String,
    /// Its input, hex with 0x.
    #[arg(long)]
    input: String,
    /// At which height.
    #[arg(long)]
    height: u32,
    /// Milliseconds from one question to the next.
    #[arg(long, default_value_t = 10)]
    every_ms: u64,
    /// How long.
    #[arg(long)]
    seconds: u64,
}

#[derive(Args)]
struct Knocking {
    /// `ADDRESS:PORT`; several times.
    #[arg(long)]
    at: Vec<SocketAddr>,
    /// How long.
    #[arg(long)]
    seconds: u64,
}

#[derive(Args)]
struct Pretence {
    /// `ADDRESS:PORT` to listen on.
    #[arg(long)]
    listen: String,
    /// The JSON.
    #[arg(long)]
    json: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Part::parse() {
        Part::Ask(question) => ask_again_and_again(question).await,
        Part::Knock(knocking) => knock(knocking).await,
        Part::Pretend(pretence) => pretend(pretence).await,
    }
}

async fn ask_again_and_again(question: Question) -> Result<()> {
    // No connection is reused: each question goes where the Service points at that moment.
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .build()?;
    let params = json!([question.function, question.input, question.height]);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": params});
    let end = Instant::now() + Duration::from_secs(question.seconds);
    let mut pace = tokio::time::interval(Duration::from_millis(question.every_ms));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut asked, mut shown) = (Asked::default(), Instant::now());
    while Instant::now() < end {
        pace.tick().await;
        match ask(&client, &question.url, &call).await {
            Ok(answer) => asked.answered(&answer),
            Err(error) => asked.failed(&format!("{error:#}")),
        }
        if shown.elapsed() >= Duration::from_secs(1) {
            println!("{}", serde_json::to_string(&asked)?);
            shown = Instant::now();
        }
    }
    println!("{}", serde_json::to_string(&asked)?);
    Ok(())
}

async fn ask(client: &reqwest::Client, url: &str, call: &Value) -> Result<String> {
    let answer: Value = client
        .post(url)
        .json(call)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    match answer["result"].as_str() {
        Some(result) => Ok(result.to_owned()),
        None => anyhow::bail!("{answer}"),
    }
}

async fn knock(knocking: Knocking) -> Result<()> {
    let mut pace = tokio::time::interval(Duration::from_secs(1));
    let end = Instant::now() + Duration::from_secs(knocking.seconds);
    while Instant::now() < end {
        pace.tick().await;
        let tries = knocking.at.iter().map(async |address| {
            // A policy drops what it does not allow: nothing is answered.
            let connected = timeout(DOOR_PATIENCE, TcpStream::connect(address)).await;
            (address.to_string(), matches!(connected, Ok(Ok(_))))
        });
        let reached: BTreeMap<String, bool> = join_all(tries).await.into_iter().collect();
        println!("{}", serde_json::to_string(&reached)?);
    }
    Ok(())
}

/// Serves one client at a time, which is enough for a poller.
async fn pretend(pretence: Pretence) -> Result<()> {
    let listener = TcpListener::bind(&pretence.listen)
        .await
        .with_context(|| format!("listen on {}", pretence.listen))?;
    loop {
        let (client, address) = listener.accept().await?;
        match timeout(PATIENCE, answer(client, &pretence.json)).await {
            Ok(Ok(())) => println!("answered {address}"),
            Ok(Err(error)) => println!("{address}: {error:#}"),
            Err(_) => println!("{address} was too slow"),
        }
    }
}

async fn answer(mut client: TcpStream, json: &str) -> Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let read = client.read(&mut part).await?;
        anyhow::ensure!(read > 0 && head.len() < HEAD_BYTES_MAX, "no request");
        head.extend_from_slice(&part[..read]);
    }
    let length = json.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{json}"
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_pretended_is_read_on_every_path() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/status", listener.local_addr().unwrap());
        let serve = async {
            let (client, _) = listener.accept().await.unwrap();
            answer(client, r#"{"height": 7}"#).await.unwrap();
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let read = async { client.get(&url).send().await.unwrap().json::<Value>().await.unwrap() };
        let ((), report) = tokio::join!(serve, read);
        assert_eq!(report, json!({"height": 7}));
    }
}
