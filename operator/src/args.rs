//! The command line, parsed into ready-to-use values.

use std::net::SocketAddr;

use clap::{Parser, Subcommand, builder::NonEmptyStringValueParser};
use crds::Registry;

use crate::{access::AccessRules, pod_defaults::PodDefaults, telemetry::LogFormat};

/// Turns Indexer resources into pods, and writes what the pods report back into them.
#[derive(Clone, Debug, Parser)]
#[command(name = "shrewd-operator", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    Run(Box<RunArgs>),
    /// Print the custom resource definition as YAML.
    Crd,
    /// Ask an operator whether it is ready; exit code 1 if it is not.
    Ready {
        /// Where it serves /readyz, such as `http://127.0.0.1:9090`
        #[arg(long, value_name = "URL")]
        url: String,
    },
}

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Namespaces to manage, separated by commas; all namespaces if not set
    #[arg(long, env = "SHREWD_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Look after Indexers with this `operatorClass`; without it, after those that have none
    #[arg(long, value_name = "NAME", env = "SHREWD_OPERATOR_CLASS", value_parser = class)]
    pub operator_class: Option<String>,
    /// Name of this installation, the same for all its processes and versions. With the namespace of this pod it is shown in
    /// the status of the Indexers that it looks after, and other installations leave those alone
    #[arg(
        long,
        value_name = "NAME",
        env = "SHREWD_INSTALLATION",
        default_value = "shrewd-operator",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub installation: String,
    /// Image for the pods of Indexers that do not set one
    #[arg(long, env = "SHREWD_INDEXER_IMAGE", default_value = concat!("shrewd-indexer:", env!("CARGO_PKG_VERSION")))]
    pub indexer_image: String,
    /// A registry from which pods pull modules without TLS, sending credentials in the clear; for tests and private
    /// networks. May be repeated
    #[arg(
        long = "plain-http-registry",
        value_name = "HOST[:PORT]",
        env = "SHREWD_PLAIN_HTTP_REGISTRIES",
        value_delimiter = ','
    )]
    pub plain_http_registries: Vec<Registry>,
    /// Lead only while holding the Lease of this name, in the namespace of this pod, so that several operators can run and
    /// one of them works; without it this one must be alone
    #[arg(long, value_name = "NAME", env = "SHREWD_LEASE")]
    pub lease: Option<String>,
    /// Name of this pod, under which it is shown in the Lease
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "shrewd-operator")]
    pub pod_name: String,
    /// What holds for the pods of Indexers whose spec says nothing else: an object with `placement`, `imagePullSecrets`
    /// and `podMetadata`, as in a spec
    #[arg(long, value_name = "JSON", env = "SHREWD_POD_DEFAULTS", default_value = "{}")]
    pub pod_defaults: PodDefaults,
    /// Make a `NetworkPolicy` for each Indexer: an object with `operator`, which selects the pods of this operator, and
    /// `metrics`, a list of who may read metrics; each as a peer of a `NetworkPolicy`. There are no policies without it
    #[arg(long, value_name = "JSON", env = "SHREWD_NETWORK_POLICY")]
    pub network_policy: Option<AccessRules>,
    /// Address on which /livez, /readyz and /metrics are served
    #[arg(long, default_value = "0.0.0.0:9090")]
    pub listen: SocketAddr,
    /// Number of concurrent passes for each namespace given
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Indexes that are built again at the same time in each namespace given, because this version does not read their
    /// data
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_rollouts: u16,
    /// Format of log lines
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Log filter, as directives: `info`, `operator=debug,info`
    #[arg(long, env = "SHREWD_LOG", default_value = "info")]
    pub log: String,
}

/// What `operatorClass` may be, which no Indexer would have otherwise.
fn class(text: &str) -> Result<String, String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_class = text.len() <= 63
        && text.bytes().all(|byte| is_inner(byte) || byte == b'-')
        && text.bytes().next().is_some_and(is_inner)
        && text.bytes().last().is_some_and(is_inner);
    if is_class {
        Ok(text.to_owned())
    } else {
        Err("at most 63 of a-z, 0-9 and -, and no - at either end".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_separated_by_commas() {
        let args = Args::try_parse_from(["shrewd-operator", "run", "--namespaces", "a,b"]).unwrap();
        let Command::Run(run) = args.command else {
            panic!("run is expected")
        };
        assert_eq!(run.namespaces, ["a", "b"]);
        assert_eq!(
            run.indexer_image,
            format!("shrewd-indexer:{}", env!("CARGO_PKG_VERSION"))
        );
    }

    #[test]
    fn registries_without_tls_are_addresses() {
        let read = |value: &str| Args::try_parse_from(["shrewd-operator", "run", "--plain-http-registry", value]);
        let Command::Run(run) = read("a:5000,b").unwrap().command else {
            panic!("run is expected")
        };
        assert_eq!(run.plain_http_registries.len(), 2);
        let error = read("http://a:5000").unwrap_err().to_string();
        assert!(error.contains("HOST[:PORT]"), "{error}");
    }

    #[test]
    fn a_mistake_in_what_holds_for_pods_ends_the_start() {
        let read = |value: &str| Args::try_parse_from(["shrewd-operator", "run", "--pod-defaults", value]);
        assert!(read(r#"{"placement": {"priorityClassName": "index"}}"#).is_ok());
        let error = read(r#"{"placement": {"priority": "index"}}"#).unwrap_err().to_string();
        assert!(error.contains("there is no field placement.priority"), "{error}");
    }

    #[test]
    fn a_class_that_no_indexer_can_have_is_refused() {
        let read = |value: &str| Args::try_parse_from(["shrewd-operator", "run", "--operator-class", value]);
        for value in ["a", "blue-2", &"a".repeat(63)] {
            assert!(read(value).is_ok(), "{value}");
        }
        for value in ["", "-a", "a-", "Blue", "a.b", &"a".repeat(64)] {
            assert!(read(value).is_err(), "{value}");
        }
    }

    #[test]
    fn no_concurrency_is_refused() {
        assert!(Args::try_parse_from(["shrewd-operator", "run", "--concurrency", "0"]).is_err());
    }
}
