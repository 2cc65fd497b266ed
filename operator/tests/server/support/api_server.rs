//! kube-apiserver and etcd on loopback, in a folder that is removed afterwards.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use base64::Engine as _;
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use ring::{
    rand::SystemRandom,
    signature::{self, KeyPair as _},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::{audit::Write, free_port, show_end, within};

/// Machines that compile at the same time are slow.
const STARTS: Duration = Duration::from_secs(20);
/// The namespace of the operators, and that of the Indexers.
pub(crate) const NAMESPACE: &str = "shrewd-system";
/// Every write is noted, as it is answered, with the name of who made it.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, verbs: [create, update, patch, delete, deletecollection]}]
";

/// See the module. Users may do everything, and their names are for the audit log; but those whose names begin with
/// `system:serviceaccount:` have no rights but those they are given.
pub(crate) struct ApiServer {
    folder: TempDir,
    pub(crate) port: u16,
    processes: Vec<Child>,
}

impl ApiServer {
    /// Starts it, with the kind Indexer and [`NAMESPACE`].
    pub(crate) async fn start(users: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut server = Self {
            port: free_port(),
            folder,
            processes: Vec::new(),
        };
        server.write_files(users);
        let (client_port, peer_port) = (free_port(), free_port());
        server.spawn("etcd", &etcd(server.folder.path(), client_port, peer_port));
        let args = server.args(client_port);
        server.spawn("kube-apiserver", &args);
        server.install(users[0]).await;
        server
    }

    /// A client of one of the users.
    pub(crate) async fn client(&self, user: &str) -> Client {
        let read = Kubeconfig::read_from(self.kubeconfig(user, self.port)).unwrap();
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
        Client::try_from(config.unwrap()).unwrap()
    }

    /// A file with which this user reaches the server at this port: its own, or that of a proxy.
    pub(crate) fn kubeconfig(&self, user: &str, port: u16) -> PathBuf {
        let path = self.path(&format!("kubeconfig-{}-{port}", user.replace(':', "-")));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": self.path("certs/apiserver.crt"),
            }}],
            "users": [{"name": "u", "user": {"token": token(user)}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
            "current-context": "c",
        });
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// Every write so far, in the order in which they were answered.
    pub(crate) fn writes(&self) -> Vec<Write> {
        Write::all(&std::fs::read_to_string(self.path("audit.log")).unwrap())
    }

    /// Sends a signal to the API server itself: STOP has it say nothing, with every connection open.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = self.processes.last().expect("it was started");
        kill_process(Pid::from_child(process), signal).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_files(&self, users: &[&str]) {
        let lines = users.iter().map(|user| {
            let group = if user.starts_with("system:serviceaccount:") {
                "system:serviceaccounts"
            } else {
                "system:masters"
            };
            format!("{},{user},{user},\"{group}\"\n", token(user))
        });
        std::fs::write(self.path("tokens.csv"), lines.collect::<String>()).unwrap();
        std::fs::write(self.path("audit.yaml"), AUDIT_POLICY).unwrap();
        let (private, public) = account_keys();
        std::fs::write(self.path("accounts.key"), private).unwrap();
        std::fs::write(self.path("accounts.pub"), public).unwrap();
    }

    fn args(&self, etcd_port: u16) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        vec![
            format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.port),
            format!("--cert-dir={}", path("certs")),
            format!("--token-auth-file={}", path("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", path("accounts.pub")),
            format!("--service-account-signing-key-file={}", path("accounts.key")),
            "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--audit-policy-file={}", path("audit.yaml")),
            format!("--audit-log-path={}", path("audit.log")),
            // Written before the answer is sent.
            "--audit-log-mode=blocking".to_owned(),
        ]
    }

    fn spawn(&mut self, program: &str, args: &[String]) {
        let log = File::create(self.path(&format!("{program}.log"))).unwrap();
        let spawned = Command::new(programs().join(program))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.processes.push(spawned.expect(program));
    }

    /// Everything is tried again: at first the server does not answer, and then it knows no rights yet.
    async fn install(&self, user: &str) {
        within("the certificate", STARTS, async || {
            self.path("certs/apiserver.crt").exists().then_some(())
        })
        .await;
        let client = self.client(user).await;
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).unwrap();
        let params = PostParams::default();
        within("the namespace", STARTS, async || {
            let created = namespaces.create(&params, &namespace).await;
            is_there(created.map(drop)).then_some(())
        })
        .await;
        within("the definition", STARTS, async || {
            let created = definitions.create(&params, &crds::crd()).await;
            is_there(created.map(drop)).then_some(())
        })
        .await;
        let indexers: Api<crds::Indexer> = Api::namespaced(client, NAMESPACE);
        within("the kind Indexer", STARTS, async || {
            indexers.list(&kube::api::ListParams::default()).await.ok()
        })
        .await;
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        for mut process in self.processes.drain(..).rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            show_end(&self.path("kube-apiserver.log"));
        }
    }
}

fn is_there(created: kube::Result<()>) -> bool {
    match created {
        Ok(()) => true,
        Err(kube::Error::Api(status)) if status.is_already_exists() => true,
        Err(error) => {
            println!("not yet: {error}");
            false
        }
    }
}

fn token(user: &str) -> String {
    format!("token-of-{}", user.replace(':', "-"))
}

/// For tokens of service accounts, which nobody uses here; the server wants keys.
fn account_keys() -> (String, String) {
    /// What is before the point of a public key on P-256 (RFC 5480).
    const SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let (kind, random) = (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let private = signature::EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    let pair = signature::EcdsaKeyPair::from_pkcs8(kind, private.as_ref(), &random).unwrap();
    let public = [&hex::decode(SPKI).unwrap(), pair.public_key().as_ref()].concat();
    let pem = |label: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", &public))
}

fn etcd(folder: &Path, client_port: u16, peer_port: u16) -> Vec<String> {
    let (client, peer) = (
        format!("http://127.0.0.1:{client_port}"),
        format!("http://127.0.0.1:{peer_port}"),
    );
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The machine does not lose its power here.
        "--unsafe-no-fsync".to_owned(),
    ]
}

/// The folder with the programs: `SHREWD_CONTROL_PLANE_DIR`, or what `tests/kind/control-plane` provides.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        if let Some(folder) = env::var_os("SHREWD_CONTROL_PLANE_DIR") {
            return folder.into();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kind/control-plane");
        let output = Command::new(&script).stderr(Stdio::inherit()).output();
        let output = output.expect("run tests/kind/control-plane");
        assert!(
            output.status.success(),
            "no API server: see what `tests/kind/control-plane` says"
        );
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}
