//! The plugin in the hands of one who may view and one who may edit.

use anyhow::{Context, Result, ensure};
use e2e::{index::Says, manifest::Manifest, namespace::Namespace, node::Node, person::Person, trial::in_namespace};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

const HEIGHT: u32 = 20;

#[tokio::test]
async fn who_may_view_sees_all_and_who_may_edit_does_the_rest() -> Result<()> {
    in_namespace("plugin", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("outpoints").named("one").apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        let viewer = Person::with_role(namespace, "view").await?;
        sees(&viewer)?;
        kubectl_completes(&viewer)?;
        is_told_what_is_missing(&viewer)?;

        let editor = Person::with_role(namespace, "edit").await?;
        let views = editor.told(&["views", "one"])?;
        ensure!(views.lines().any(|view| view == "tip"), "tip is none of\n{views}");
        let answer = editor.told(&["query", "one", "tip", "0x"])?;
        ensure!(
            answer.starts_with("0x14000000"),
            "the tip is of height {HEIGHT}: {answer}"
        );
        let below = editor.told(&["query", "one", "tip", "0x", "--height", "7"])?;
        ensure!(below.starts_with("0x07000000"), "{below}");
        let unknown = editor.refused(&["query", "one", "nothing", "0x"])?;
        ensure!(unknown.contains("nothing"), "{unknown}");

        editor.told(&["refresh", "one", "--wait"])?;
        ensure!(
            index.get().await?.memory().refreshes.manual > 0,
            "nothing was refreshed"
        );
        editor.told(&["suspend", "one"])?;
        index
            .wait_until("no pods are left", |i| i.is_true("Suspended") && i.is_true("Ready"))
            .await?;
        let screen = viewer.told(&["status", "one"])?;
        ensure!(screen.contains("Suspended"), "{screen}");
        editor.told(&["resume", "one"])?;
        index.follows_to(HEIGHT).await?;
        reports(&editor, &password(namespace).await?)
    })
    .await
}

/// Of the node.
async fn password(namespace: &Namespace) -> Result<String> {
    let secret = namespace.api::<Secret>().get(e2e::node::SECRET).await?;
    let data = secret.data.context("the Secret has data")?;
    let password = data.get("password").context("a password")?;
    Ok(String::from_utf8(password.0.clone())?)
}

fn sees(viewer: &Person) -> Result<()> {
    let screen = viewer.told(&["status", "one"])?;
    for part in [
        "Name:           one",
        "Ready:          True",
        "Guest's memory: [",
        "one-",
    ] {
        ensure!(screen.contains(part), "there is no {part} on\n{screen}");
    }
    let facts: Value = serde_json::from_str(&viewer.told(&["status", "one", "-o", "json"])?)?;
    ensure!(facts.is_object(), "{facts}");
    let why = viewer.told(&["why", "one"])?;
    ensure!(!why.contains("False"), "all is well, and it says\n{why}");
    let top = viewer.told(&["top"])?;
    ensure!(top.lines().count() == 2 && top.contains("one "), "{top}");
    viewer.told(&["logs", "one", "--guest"]).map(drop)
}

fn kubectl_completes(viewer: &Person) -> Result<()> {
    let names = viewer.offered(&["status", ""])?;
    ensure!(names == ["one", ":4"], "{names:?}");
    let commands = viewer.offered(&["st"])?;
    let [status, rest] = commands.as_slice() else {
        anyhow::bail!("{commands:?}");
    };
    ensure!(status.starts_with("status\t") && rest == ":4", "{commands:?}");
    Ok(())
}

/// Neither a dump of the API server's answer nor silence.
fn is_told_what_is_missing(viewer: &Person) -> Result<()> {
    for (arguments, right) in [
        (["refresh", "one"].as_slice(), "patch"),
        (&["suspend", "one"], "patch"),
        (&["query", "one", "tip", "0x"], "portforward"),
        (&["views", "one"], "portforward"),
    ] {
        let words = viewer.refused(arguments)?;
        ensure!(
            words.contains(right) && words.contains("edit"),
            "{arguments:?}: {words}"
        );
        ensure!(words.lines().count() <= 4, "{words}");
    }
    let words = viewer.refused(&["status", "on"])?;
    ensure!(words.contains("one"), "a similar name is not named: {words}");
    Ok(())
}

/// What is gathered for others has no secret of the node in it.
fn reports(editor: &Person, secret: &str) -> Result<()> {
    editor.told(&["report", "one"])?;
    let mut files = 0;
    let mut folders = vec![editor.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "kubeconfig") {
                let text = std::fs::read_to_string(&path)?;
                ensure!(!text.contains(secret), "{} has a secret", path.display());
                files += 1;
            }
        }
    }
    ensure!(files >= 4, "{files} files are in the report");
    Ok(())
}
