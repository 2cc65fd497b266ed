//! A client that asks a view at a fixed pace, each time with a connection of its own, and keeps count of the answers: what
//! clients of a Service see while it is moved. Prints the count as JSON, a line a second, until its time is over.
#![allow(clippy::print_stdout)] // a command's result goes there

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use e2e::asked::Asked;
use serde_json::{Value, json};

/// A request that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a view again and again.
#[derive(Parser)]
struct Args {
    /// JSON-RPC of the index.
    #[arg(long)]
    url: String,
    /// The view.
    #[arg(long)]
    function: String,
    /// What it is given, hex with 0x.
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    // No connection is kept: each question goes where the Service points at that moment.
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .build()?;
    let params = json!([args.function, args.input, args.height]);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": params});
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut pace = tokio::time::interval(Duration::from_millis(args.every_ms));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut asked, mut shown) = (Asked::default(), Instant::now());
    while Instant::now() < end {
        pace.tick().await;
        match ask(&client, &args.url, &call).await {
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
