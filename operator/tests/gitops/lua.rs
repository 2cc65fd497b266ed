//! Argo CD's interpreter, with no more than Argo CD gives to scripts: a program of its own, made by `tests/argocd/lua`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

use crate::repository;

/// Runs a script over an object; what it returns.
pub(crate) fn run(script: &Path, object: &Value) -> Value {
    let mut child = Command::new(interpreter())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&serde_json::to_vec(object).unwrap()).unwrap();
    drop(input); // the end of what there is to read
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", script.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn interpreter() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let output = Command::new(repository().join("tests/argocd/lua"))
            .arg("path")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "no interpreter: {complaint}");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

#[test]
fn scripts_have_no_more_than_argo_cd_gives_them() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("what.lua");
    let text = "return {os == nil, string == nil, math == nil, io == nil, require('os').getenv == nil, table ~= nil}";
    std::fs::write(&script, text).unwrap();
    assert_eq!(run(&script, &Value::Null), Value::from(vec![true; 6]));
}
