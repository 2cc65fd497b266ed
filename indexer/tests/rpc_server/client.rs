use std::sync::Arc;

use axum::Router;
use crds::Phase;
use indexer::{
    cli::args::{RefreshFlags, StatusFlags, ViewFlags},
    commands::client,
    control::Control,
    serve::ops,
    telemetry::metrics::Metrics,
    telemetry::report::Report,
};
use tokio::net::TcpListener;

use crate::harness::{Server, config};

/// A server on a port of its own, until the test ends; gives its address.
pub(crate) async fn served(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

struct Ops {
    report: Arc<Report>,
    control: Arc<Control>,
    url: String,
}

async fn ops() -> Ops {
    let config = config();
    let report = Arc::new(Report::new(&config));
    let control = Arc::new(Control::default());
    let url = served(ops::router(ops::Ops {
        report: report.clone(),
        metrics: Arc::new(Metrics::new(&config).unwrap()),
        control: control.clone(),
    }));
    let url = url.await;
    Ops { report, control, url }
}

async fn refreshed(url: &str, timeout: u64) -> Result<String, String> {
    let mut out = Vec::new();
    let url = url.to_owned();
    client::refresh(&RefreshFlags { url, timeout }, &mut out)
        .await
        .map_err(|e| format!("{:#}", anyhow::Error::from(e)))?;
    Ok(String::from_utf8(out).unwrap())
}

async fn status(url: &str, json: bool) -> Result<String, String> {
    let mut out = Vec::new();
    let url = url.to_owned();
    client::status(StatusFlags { url, json }, &mut out)
        .await
        .map_err(|e| format!("{:#}", anyhow::Error::from(e)))?;
    Ok(String::from_utf8(out).unwrap())
}

async fn viewed(url: &str, function: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let flags = ViewFlags {
        function: function.into(),
        input: "0x".into(),
        height: "latest".into(),
        url: url.into(),
    };
    client::view(flags, &mut out)
        .await
        .map_err(|e| format!("{:#}", anyhow::Error::from(e)))?;
    Ok(String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_refresh_is_waited_for_until_the_status_echoes_it() {
    let Ops { report, control, url } = ops().await;
    let pipeline = tokio::spawn(async move {
        control.refresh_requested().await;
        let id = control.take_refresh();
        report.update(|status| {
            status.last_refresh_request = id;
            status.memory.guest_bytes = 5 << 20;
        });
    });
    assert_eq!(
        refreshed(&url, 60).await,
        Ok("refreshed; the guest now has 5.0 MiB\n".into())
    );
    pipeline.await.unwrap();
}

#[tokio::test]
async fn a_refresh_that_does_not_come_is_given_up_with_what_the_indexer_does() {
    let Ops { report, control, url } = ops().await;
    report.update(|status| {
        status.phase = Phase::ModuleInvalid;
        status.last_refresh_request = Some("an older one".into());
    });
    let error = refreshed(&url, 1).await.unwrap_err();
    assert!(
        error.starts_with("no refresh within 1 s: the indexer is in phase ModuleInvalid"),
        "{error}"
    );
    assert!(control.take_refresh().is_some(), "the request stands");
}

#[tokio::test]
async fn commands_report_that_there_is_no_connection() {
    let url = nobody().await;
    let expected = format!("no connection to {url}: check that the indexer is running and that this is its address");
    for error in [
        refreshed(&url, 1).await.unwrap_err(),
        status(&url, false).await.unwrap_err(),
        status(&url, true).await.unwrap_err(),
        viewed(&url, "echo").await.unwrap_err(),
    ] {
        assert!(error.starts_with(&expected) && error.contains("refused"), "{error}");
    }
}

#[tokio::test]
async fn no_password_of_an_address_is_repeated() {
    let url = nobody().await;
    let inside = url.replace("http://", "http://user:s3cret@");
    let text = served(Router::new().fallback(async || "hello")).await;
    for (address, shown) in [
        (inside.clone(), url.clone()),
        (format!("{url}/s3cret"), url.clone()),
        (format!("{text}/?key=s3cret"), text),
        ("user:s3cret@localhost".into(), "the address given".into()),
    ] {
        for error in [
            refreshed(&address, 1).await.unwrap_err(),
            status(&address, false).await.unwrap_err(),
            viewed(&address, "echo").await.unwrap_err(),
        ] {
            assert!(
                error.contains(&shown) && !error.contains("s3cret"),
                "{address}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn commands_tell_an_indexer_from_something_else() {
    // Each port asked what the other one answers.
    let ops = ops().await.url;
    let rpc = served(Server::new().router).await;
    for error in [
        refreshed(&rpc, 1).await.unwrap_err(),
        status(&rpc, false).await.unwrap_err(),
        viewed(&ops, "echo").await.unwrap_err(),
    ] {
        assert!(
            error.starts_with("request to http://") && error.contains("404"),
            "{error}"
        );
    }
    let text = served(Router::new().fallback(async || "hello")).await;
    for error in [
        refreshed(&text, 1).await.unwrap_err(),
        status(&text, false).await.unwrap_err(),
        viewed(&text, "echo").await.unwrap_err(),
    ] {
        assert_eq!(error, format!("the server at {text} is not an indexer"));
    }
    for url in ["", "localhost", "ftp://localhost"] {
        let error = status(url, false).await.unwrap_err();
        assert!(error.starts_with(&format!("request to {url}")), "{error}");
    }
}

#[tokio::test]
async fn answers_and_refusals_of_a_view_are_passed_on() {
    let rpc = served(Server::new().router).await;
    assert_eq!(viewed(&rpc, "echo").await, Ok("0x00000067\n".into()));
    let error = viewed(&rpc, "fail").await.unwrap_err();
    assert_eq!(error, "balance: no such address (code -32000)");
    let ops = ops().await.url;
    assert!(status(&ops, false).await.unwrap().contains("phase      Starting"));
    assert!(status(&format!("{ops}/"), true).await.unwrap().starts_with('{'));
}
