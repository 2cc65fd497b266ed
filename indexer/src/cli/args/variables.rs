//! Variables of the environment that count otherwise than clap takes them.

use std::ffi::OsStr;

use clap::Command;

use super::run::RunFlags;

/// The one that a pod's configuration stands for.
const AUTH: &str = "SHREWD_AUTH";

/// Whether a variable counts: scripts give an empty one for none.
pub(super) fn is_set(name: impl AsRef<OsStr>) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// The command line without the variables that do not count: empty ones and, with `--config`, that of a flag which
/// excludes it. Clap would say that the flag was given.
pub(super) fn counted(command: Command, has_config: bool) -> Command {
    let counts = |name: &OsStr| is_set(name) && !(has_config && name == AUTH);
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if !counts(name) => arg.env(None::<&'static str>),
            _ => arg,
        })
        .mut_subcommands(|command| counted(command, has_config))
}

/// What to say of variables that are set and have no effect.
pub(super) fn notices(flags: &RunFlags, is_set: &dyn Fn(&str) -> bool) -> Vec<String> {
    if flags.config.is_some() {
        let ignored = is_set(AUTH).then(|| format!("{AUTH} is ignored: --config names the files of the credentials"));
        return ignored.into_iter().collect();
    }
    let servers = &flags.local.servers;
    [
        ("HOST", "--host", servers.host.is_some()),
        ("PORT", "--port", servers.port.is_some()),
    ]
    .into_iter()
    .filter(|(name, _, is_given)| !is_given && is_set(name))
    .map(|(name, flag, _)| format!("the variable {name} is ignored, unlike in rockshrew-mono: give {flag}"))
    .collect()
}
