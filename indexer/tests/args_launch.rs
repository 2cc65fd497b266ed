//! Command lines, and what becomes of them.

// Clippy knows tests, but not the functions beside them.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use clap::error::ErrorKind;
use crds::{
    Network, RefreshPolicy,
    pod::{Module, Views},
};
use indexer::cli::args::{Cli, Command, Launch, LogFormat};

const MANIFEST: &str = "tests/data/outpoints.yaml";
const CONFIG: &str = "tests/data/config.yaml";

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(line.split_whitespace().map(Into::into))
}

fn launch(line: &str) -> Result<Launch, String> {
    launch_among(&[], line)
}

/// Where these variables are set.
fn launch_among(variables: &[&str], line: &str) -> Result<Launch, String> {
    let cli = read(&format!("shrewd-indexer run {line}")).map_err(|e| e.to_string())?;
    let Command::Run(flags) = cli.command else {
        panic!("{line} is no run")
    };
    Launch::from_flags_among(*flags, &|name| variables.contains(&name))
        .map_err(|e| format!("{:#}", anyhow::Error::from(e)))
}

/// A module's file; what is in it does not matter here.
fn module(folder: &Path) -> String {
    let path = folder.join("mine.wasm");
    fs::write(&path, b"\0asm").unwrap();
    path.display().to_string()
}

fn file(path: &str) -> Module {
    Module::Path { path: path.into() }
}

#[test]
fn a_pods_configuration_is_taken_as_it_is() {
    let launch = launch(&format!("--config {CONFIG}")).unwrap();
    assert_eq!(launch.config.indexer, "default/outpoints");
    assert_eq!(launch.config.views.timeout_ms, 10_000);
    assert_eq!(launch.credentials, None);
    assert_eq!(launch.notices, Vec::<String>::new());
}

#[test]
fn a_configuration_takes_no_other_flags() {
    for other in [
        "--port 1",
        "--manifest x",
        "--exit-at 5",
        "--auth a:b",
        "--view-timeout 1s",
    ] {
        let error = launch(&format!("--config {CONFIG} {other}")).unwrap_err();
        assert!(error.contains("cannot be used with"), "{other}: {error}");
    }
    assert!(read(&format!("shrewd-indexer run --log-format json --config {CONFIG}")).is_ok());
}

#[test]
fn a_manifest_runs_here_with_local_defaults() {
    let launch = launch(&format!("--manifest {MANIFEST}")).unwrap();
    let config = launch.config;
    assert_eq!(config.indexer, "outpoints");
    assert_eq!(config.identity.network, Network::Regtest);
    assert_eq!(config.identity.start_height, 7);
    assert_eq!(config.identity.memory_limit_bytes, 1 << 30);
    assert_eq!(config.threshold_bytes, 64 << 20);
    assert_eq!(config.refresh, RefreshPolicy::OnThreshold);
    assert_eq!(config.module, file("tests/data/./outpoints.wasm"));
    assert_eq!(config.data_dir, Path::new("shrewd-data/outpoints"));
    assert_eq!(
        (config.rpc_listen.as_str(), config.ops_listen.as_str()),
        ("127.0.0.1:8080", "127.0.0.1:9090")
    );
    assert_eq!(config.source.urls, ["http://bitcoind:18443"]);
    assert_eq!(launch.notices.len(), 1);
    assert!(launch.notices[0].contains("bitcoind-rpc"), "{:?}", launch.notices);
}

#[test]
fn flags_override_a_manifest() {
    let launch = launch(&format!(
        "--manifest {MANIFEST} --indexer other.wasm --daemon-rpc-url http://127.0.0.1:1 --db-path /data --label mine \
         --auth user:pa:ss --host ::1 --port 81 --ops-port 91 --start-block 9 --exit-at 20 --cors * --max-reorg-depth 6 \
         --network signet --reorg-check-threshold 5"
    ))
    .unwrap();
    let config = launch.config;
    assert_eq!(config.indexer, "mine");
    assert_eq!(config.module, file("other.wasm"));
    assert_eq!(
        config.identity.module_sha256,
        "ab".repeat(32),
        "the declared digest stays"
    );
    assert_eq!(config.source.urls, ["http://127.0.0.1:1"]);
    assert_eq!(config.data_dir, Path::new("/data/mine"));
    assert_eq!(
        (config.rpc_listen.as_str(), config.ops_listen.as_str()),
        ("[::1]:81", "127.0.0.1:91")
    );
    assert_eq!(config.identity.start_height, 9);
    assert_eq!(config.exit_at, Some(20));
    assert_eq!(config.cors_origin.as_deref(), Some("*"));
    assert_eq!(config.max_reorg_depth, 6);
    assert_eq!(config.identity.network, Network::Signet);
    let credentials = launch.credentials.unwrap();
    assert_eq!(
        (credentials.username.as_str(), credentials.password.as_str()),
        ("user", "pa:ss")
    );
    assert_eq!(
        launch.notices.len(),
        1,
        "only about --reorg-check-threshold: {:?}",
        launch.notices
    );
}

#[test]
fn the_flags_of_rockshrew_mono_suffice() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let launch = launch(&format!(
        "--indexer {module} --daemon-rpc-url http://user:pass@127.0.0.1:8332 --db-path {} --start-block 880000",
        folder.path().display()
    ))
    .unwrap();
    let config = launch.config;
    assert_eq!(config.indexer, "mine");
    assert!(launch.ask_network, "the node knows");
    // sha256sum of the four bytes 00 61 73 6d.
    let sha256 = "cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f";
    assert_eq!(config.identity.module_sha256, sha256);
    assert_eq!(config.identity.start_height, 880_000);
    assert_eq!(config.data_dir, folder.path());
    assert_eq!(config.source.urls, ["http://127.0.0.1:8332"], "without the credentials");
    assert_eq!(launch.credentials.unwrap().username, "user");
}

#[test]
fn the_network_is_asked_of_the_node_only_where_nothing_declares_it() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let node = "--daemon-rpc-url http://127.0.0.1:8332";
    let cases = [
        (format!("--indexer {module} {node} --block-files blocks"), None),
        (
            format!("--indexer {module} {node} --network testnet4"),
            Some(Network::Testnet4),
        ),
        (
            format!("--indexer {module} --block-files blocks"),
            Some(Network::Mainnet),
        ),
        (format!("--manifest {MANIFEST} {node}"), Some(Network::Regtest)),
        (format!("--config {CONFIG}"), Some(Network::Regtest)),
    ];
    for (line, declared) in cases {
        let launch = launch(&line).unwrap();
        let found = (!launch.ask_network).then_some(launch.config.identity.network);
        assert_eq!(found, declared, "{line}");
    }
}

#[test]
fn views_are_bounded_by_flags_as_by_a_manifest() {
    let views = |line: &str| launch(line).map(|launch| launch.config.views);
    let declared = views(&format!("--manifest {MANIFEST}")).unwrap();
    assert_eq!((declared.max_concurrent, declared.timeout_ms), (32, 10_000));
    let flags = "--max-concurrent-views 4 --view-timeout 1m --view-memory-limit 64Mi --max-request-bytes 1Mi \
                 --max-response-bytes 2Mi";
    let expected = Views {
        max_concurrent: 4,
        timeout_ms: 60_000,
        memory_limit_bytes: 64 << 20,
        max_request_bytes: 1 << 20,
        max_response_bytes: 2 << 20,
    };
    assert_eq!(views(&format!("--manifest {MANIFEST} {flags}")), Ok(expected));
    let one = views(&format!("--manifest {MANIFEST} --view-timeout 500ms")).unwrap();
    assert_eq!(
        one,
        Views {
            timeout_ms: 500,
            ..declared
        }
    );
    for (flag, expected) in [
        ("--view-timeout 10", "a time span such as"),
        ("--view-timeout 0s", "views.timeout"),
        ("--view-timeout 2h", "views.timeout"),
        ("--view-memory-limit lots", "a size such as"),
        ("--view-memory-limit 5Gi", "views.memoryLimit"),
        ("--max-concurrent-views 0", "views.maxConcurrent"),
        ("--max-concurrent-views 257", "views.maxConcurrent"),
        ("--max-request-bytes 0", "views.maxRequestBytes"),
        ("--max-response-bytes 2Gi", "views.maxResponseBytes"),
    ] {
        let error = views(&format!("--manifest {MANIFEST} {flag}")).unwrap_err();
        assert!(error.contains(expected), "{flag}: {error}");
    }
}

#[test]
fn a_module_at_a_server_or_in_a_registry_is_fetched_here_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(MANIFEST).unwrap();
    let run = |module: &str| {
        let path = folder.path().join("x.yaml");
        fs::write(&path, text.replace("path: ./outpoints.wasm", module)).unwrap();
        launch(&format!("--manifest {}", path.display())).unwrap()
    };
    let url = "https://modules.example/m.wasm";
    assert_eq!(
        run(&format!("http: {{url: '{url}'}}")).config.module,
        Module::Http { url: url.into() }
    );
    let image = format!("r.example/m@sha256:{}", "ab".repeat(32));
    let pulled = run(&format!("oci: {{image: '{image}', pullSecretRef: {{name: pull}}}}"));
    let expected = Module::Oci {
        image,
        pull_secret: None,
        plain_http: false,
    };
    assert_eq!(pulled.config.module, expected);
    assert!(
        pulled.notices.iter().any(|notice| notice.contains("\"pull\"")),
        "{:?}",
        pulled.notices
    );
}

#[test]
fn registries_are_spoken_to_without_tls_only_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(CONFIG).unwrap();
    let is_plain = |also_in_config: &str, flags: &str| {
        let path = folder.path().join("config.yaml");
        let module = format!(
            "{{from: oci, image: 'r.example:5000/m@sha256:{}'{also_in_config}}}",
            "ab".repeat(32)
        );
        fs::write(&path, text.replace("{from: path, path: /module/module.wasm}", &module)).unwrap();
        let launch = launch(&format!("--config {} {flags}", path.display())).unwrap();
        matches!(launch.config.module, Module::Oci { plain_http: true, .. })
    };
    assert!(!is_plain("", ""));
    assert!(!is_plain(
        "",
        "--plain-http-registry r.example --plain-http-registry x:5000"
    ));
    assert!(is_plain(
        "",
        "--plain-http-registry x --plain-http-registry R.example:5000"
    ));
    assert!(is_plain("", "--plain-http-registry x,r.example:5000"));
    assert!(is_plain(", plainHttp: true", "--plain-http-registry x"));
    let error = read("shrewd-indexer run --plain-http-registry http://r.example").unwrap_err();
    assert!(error.to_string().contains("HOST[:PORT]"), "{error}");
}

#[test]
fn a_cookie_file_stands_for_credentials() {
    let launch = launch(&format!("--manifest {MANIFEST} --rpc-cookie-file node/.cookie")).unwrap();
    assert_eq!(
        launch.config.source.cookie_file.as_deref(),
        Some(Path::new("node/.cookie"))
    );
    assert_eq!((launch.credentials, launch.notices.len()), (None, 0));
}

#[test]
fn block_files_go_with_a_node_or_alone() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let alone = launch(&format!("--indexer {module} --block-files blocks"))
        .unwrap()
        .config;
    assert_eq!(alone.source.urls, [""; 0]);
    assert_eq!(alone.source.block_files.as_deref(), Some(Path::new("blocks")));

    let text = fs::read_to_string(MANIFEST).unwrap();
    let with_both = text.replace("      bitcoind:", "      blockFiles: {path: ./blocks}\n      bitcoind:");
    let path = folder.path().join("both.yaml");
    fs::write(&path, with_both).unwrap();
    let both = launch(&format!("--manifest {}", path.display())).unwrap().config;
    assert_eq!(both.source.urls.len(), 1);
    assert_eq!(both.source.block_files, Some(folder.path().join("./blocks")));
    let other = launch(&format!("--manifest {} --block-files /b", path.display()))
        .unwrap()
        .config;
    assert_eq!(other.source.block_files.as_deref(), Some(Path::new("/b")));
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let text = fs::read_to_string(MANIFEST).unwrap();
    let variant = |name: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let path = folder.path().join(name);
        fs::write(&path, text.replace(from, to)).unwrap();
        format!("--manifest {}", path.display())
    };
    let node = "--daemon-rpc-url http://127.0.0.1:1";
    let cases = [
        (String::new(), "nothing to run"),
        (node.into(), "nothing to run"),
        (format!("--indexer {module}"), "--block-files"),
        (
            variant("source.yaml", "source:\n      bitcoind:", "source: {}\n    unknown:"),
            "no field spec.chain.unknown",
        ),
        (
            variant(
                "empty.yaml",
                "source:\n      bitcoind:\n        urls: [\"http://bitcoind:18443\"]\n        authSecretRef: {name: bitcoind-rpc}",
                "source: {}",
            ),
            "one of bitcoind and blockFiles",
        ),
        (
            format!("--indexer /nowhere.wasm {node}"),
            "read /nowhere.wasm: No such file",
        ),
        ("--config /nowhere.yaml".into(), "read /nowhere.yaml: No such file"),
        (format!("--config {MANIFEST}"), "read configuration"),
        (
            "--manifest /nowhere.yaml".into(),
            "read manifest /nowhere.yaml: No such file",
        ),
        (
            variant("map.yaml", "path: ./outpoints.wasm", "configMap: {name: a, key: b}"),
            "give --indexer FILE",
        ),
        (
            variant("threshold.yaml", "threshold: 64Mi", "threshold: 2Gi"),
            "memory.threshold: 2Gi exceeds",
        ),
        (variant("digest.yaml", "sha256: abab", "sha256: ABAB"), "module.sha256"),
        (format!("--manifest {MANIFEST} --network moon"), "must be mainnet"),
        (
            format!("--manifest {MANIFEST} --daemon-rpc-url http://a:b@node --auth a:b"),
            "give one",
        ),
        (
            format!("--manifest {MANIFEST} --rpc-cookie-file .cookie --auth a:b"),
            "give one",
        ),
        (
            format!("--manifest {MANIFEST} --daemon-rpc-url http://node/wallet"),
            "must read http(s)://HOST[:PORT]",
        ),
        (
            format!("--manifest {MANIFEST} --max-reorg-depth 0"),
            "maxReorgDepth must be 1",
        ),
    ];
    for (line, expected) in cases {
        let error = launch(&line).expect_err(&line);
        assert!(error.contains(expected), "{line}\n{error}");
    }
}

#[test]
fn a_file_that_is_not_the_declared_module_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let error = launch(&format!("--manifest {MANIFEST} --indexer {module}")).unwrap_err();
    assert!(
        error.contains(&format!("module file {module} has sha256 cd5d")),
        "{error}"
    );
    assert!(error.contains(&format!("declares {}", "ab".repeat(32))), "{error}");

    let text = fs::read_to_string(MANIFEST).unwrap();
    let beside = folder.path().join("x.yaml");
    fs::write(&beside, text.replace("./outpoints.wasm", "./mine.wasm")).unwrap();
    let error = launch(&format!("--manifest {}", beside.display())).unwrap_err();
    assert!(
        error.contains("give the file or the digest that belong together"),
        "{error}"
    );
}

#[test]
fn variables_that_have_no_effect_are_said() {
    let run = format!("--manifest {MANIFEST} --rpc-cookie-file .cookie");
    let config = format!("--config {CONFIG}");
    let cases: [(&[&str], String, &[&str]); 5] = [
        (&[], run.clone(), &[]),
        (&["HOST", "PORT"], run.clone(), &["give --host", "give --port"]),
        (&["HOST", "PORT"], format!("{run} --port 81"), &["give --host"]),
        (&["HOST", "PORT"], config.clone(), &[]),
        (&["SHREWD_AUTH"], config, &["SHREWD_AUTH is ignored"]),
    ];
    for (variables, line, expected) in cases {
        let notices = launch_among(variables, &line).unwrap().notices;
        assert_eq!(notices.len(), expected.len(), "{variables:?} {line}: {notices:?}");
        for (notice, words) in notices.iter().zip(expected) {
            assert!(notice.contains(words), "{variables:?} {line}: {notice}");
        }
    }
}

#[test]
fn origins_of_browsers_are_read_at_the_start() {
    let launch = |origins: &str| launch(&format!("--manifest {MANIFEST} --cors {origins}"));
    assert!(launch("https://a.example,https://b.example").is_ok());
    let error = launch("https://a.example,b.example").unwrap_err();
    assert!(
        error.contains("corsOrigin (--cors): \"b.example\" is no origin"),
        "{error}"
    );
}

#[test]
fn credentials_and_addresses_have_one_form() {
    for (flags, expected) in [
        ("--auth user", "USER:PASSWORD"),
        ("--auth :secret", "USER:PASSWORD"),
        ("--daemon-rpc-url node:1", "http(s)://"),
    ] {
        let error = launch(&format!("--manifest {MANIFEST} {flags}")).expect_err(flags);
        assert!(error.contains(expected), "{flags}: {error}");
    }
}

#[test]
fn flags_that_never_did_anything_are_refused_in_words() {
    for flag in [
        "--pipeline-size 5",
        "--pipeline-size=5",
        "--snapshot-interval 5",
        "--snapshot-directory=x",
        "--snapshot-base-url x",
        "--repo x",
        "--repo=x",
    ] {
        let error = read(&format!("shrewd-indexer run --indexer x {flag}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownArgument);
        assert!(error.to_string().contains("never did anything"), "{error}");
    }
}

#[test]
fn secrets_do_not_show_in_what_is_printed() {
    let launch = launch(&format!("--manifest {MANIFEST} --auth user:secret")).unwrap();
    assert!(!format!("{launch:?}").contains("secret\""), "{launch:?}");
    assert!(!format!("{:?}", launch.credentials).contains("user"));

    let folder = tempfile::tempdir().unwrap();
    let with = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains("//bitcoind:"), "{file}");
        let path = folder.path().join(name);
        fs::write(&path, text.replace("//bitcoind:", "//user:s3cret@node:")).unwrap();
        path.display().to_string()
    };
    for line in [
        format!("--manifest {}", with(MANIFEST, "manifest.yaml")),
        format!("--config {}", with(CONFIG, "config.yaml")),
        format!("--manifest {MANIFEST} --daemon-rpc-url https://node/v1/s3cret"),
        format!("--manifest {MANIFEST} --daemon-rpc-url http://node/?password=s3cret"),
        format!("--manifest {MANIFEST} --daemon-rpc-url http://user:s3cret@node/x"),
    ] {
        let error = self::launch(&line).expect_err(&line);
        assert!(
            error.contains("must read http(s)://") && !error.contains("s3cret"),
            "{line}: {error}"
        );
        let named = if line.contains("daemon") {
            "--daemon-rpc-url"
        } else {
            "source.urls: number 1, http://node:"
        };
        assert!(error.contains(named), "{line}: {error}");
    }
}

#[test]
fn the_client_commands_have_local_defaults() {
    let cli = read("shrewd-indexer view balance 0x00").unwrap();
    assert_eq!(cli.log_format, LogFormat::Text);
    let Command::View(view) = cli.command else { panic!() };
    assert_eq!(
        (view.url.as_str(), view.height.as_str()),
        ("http://127.0.0.1:8080", "latest")
    );
    let Command::Status(status) = read("shrewd-indexer status").unwrap().command else {
        panic!()
    };
    assert_eq!(status.url, "http://127.0.0.1:9090");
    let Command::Refresh(refresh) = read("shrewd-indexer refresh").unwrap().command else {
        panic!()
    };
    assert_eq!((refresh.url.as_str(), refresh.timeout), ("http://127.0.0.1:9090", 60));
    assert!(matches!(
        read("shrewd-indexer check a.wat").unwrap().command,
        Command::Check(_)
    ));
}

#[test]
fn commands_on_a_folder_find_it_as_a_run_does() {
    let folder = |line: &str| {
        let cli = read(&format!("shrewd-indexer verify {line}")).map_err(|e| e.to_string())?;
        let Command::Verify(flags) = cli.command else { panic!() };
        flags
            .store_dir()
            .map(|dir| dir.display().to_string())
            .map_err(|e| e.to_string())
    };
    let cases = [
        ("--db-path /index".into(), "/index/store".into()),
        ("--db-path /index --label x".into(), "/index/x/store".into()),
        ("--label x".into(), "shrewd-data/x/store".into()),
        (format!("--manifest {MANIFEST}"), "shrewd-data/outpoints/store".into()),
        (format!("--manifest {MANIFEST} --label x"), "shrewd-data/x/store".into()),
        (format!("--manifest {MANIFEST} --db-path /index"), "/index/store".into()),
        (format!("--config {CONFIG}"), "/data/store".to_owned()),
    ];
    for (line, expected) in cases {
        assert_eq!(folder(&line), Ok(expected), "{line}");
        if !line.starts_with("--label") && !line.starts_with("--db-path") {
            let launch = launch(&line).unwrap();
            let run = indexer::cli::args::store_dir(&launch.config.data_dir);
            assert_eq!(folder(&line), Ok(run.display().to_string()), "{line}");
        }
    }
    assert!(folder("").unwrap_err().starts_with("which index?"));
    assert!(
        folder(&format!("--config {CONFIG} --label x"))
            .unwrap_err()
            .contains("cannot be used with")
    );
    let Command::Rollback(flags) = read("shrewd-indexer rollback --to 7 --db-path /index").unwrap().command else {
        panic!()
    };
    assert_eq!(flags.to, 7);
    assert!(
        read("shrewd-indexer rollback --db-path /index").is_err(),
        "--to has no default"
    );
}
