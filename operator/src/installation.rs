//! (pure) Whose an Indexer is. Several operators may see one: two releases in a cluster, or two processes of one that run
//! without a Lease. The status says which of them looks after it, and a process that is not named there writes nothing.
//!
//! Who comes first takes an Indexer that is nobody's, on the condition that nothing has changed, so one of two does.
//! Processes of one installation take it from each other when their settings differ, as after an upgrade; but each takes it
//! once only, so whichever started last has it, and two that run at the same time do not take turns.

use crds::OperatorStatus;
use sha2::{Digest, Sha256};

use crate::validate::Defaults;

/// Digits of the hash of settings: a few of them exist.
const SETTINGS_BYTES: usize = 5;
/// What status and words call a class that is not given.
const NO_CLASS: &str = "without a class";

/// What a process is to do about an Indexer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It looks after it.
    Ours,
    /// It takes it.
    Free,
    /// It leaves it alone: it is for operators of another class.
    OtherClass,
    /// It leaves it alone, and says why.
    Other(Why),
}

/// Why an Indexer of a process's class is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Another installation looks after it.
    Installation,
    /// Another process of this installation took it, which this process had.
    Superseded,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Installation, Self::Superseded];

    /// In a word, for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::Superseded => "superseded",
        }
    }
}

/// What this process writes into the status of an Indexer that it looks after. `installation` is `NAMESPACE/NAME`.
#[must_use]
pub fn operator(installation: String, class: Option<String>, defaults: &Defaults) -> OperatorStatus {
    let version = env!("CARGO_PKG_VERSION");
    // The text is compared with that of the same version alone.
    let settings = Sha256::digest(format!("{version} {defaults:?}"));
    OperatorStatus {
        installation,
        class,
        version: version.to_owned(),
        settings: hex::encode(&settings[..SETTINGS_BYTES]),
    }
}

/// Decides about an Indexer of this class. `last` is what its status says, `has_had_it` whether this process has looked
/// after it.
#[must_use]
pub fn whose(ours: &OperatorStatus, class: Option<&str>, last: Option<&OperatorStatus>, has_had_it: bool) -> Whose {
    if class != ours.class.as_deref() {
        return Whose::OtherClass;
    }
    // One whose class was changed is nobody's: whoever has it has let go.
    let Some(last) = last.filter(|last| last.class.as_deref() == class) else {
        return Whose::Free;
    };
    if last == ours {
        Whose::Ours
    } else if last.installation != ours.installation {
        Whose::Other(Why::Installation)
    } else if has_had_it {
        Whose::Other(Why::Superseded)
    } else {
        Whose::Free
    }
}

/// Why an Indexer is left alone, and what to do about it, for people. `namespace` and `name` are those of the Indexer.
#[must_use]
pub fn words(why: Why, ours: &OperatorStatus, theirs: &OperatorStatus, namespace: &str, name: &str) -> String {
    let (this, other, version) = (&ours.installation, &theirs.installation, &theirs.version);
    match why {
        Why::Installation => format!(
            "operator {other} (version {version}) looks after this Indexer, so operator {this}, of the same class ({}), \
             leaves it alone: give one of them another class (--operator-class), or namespaces of its own (--namespaces). \
             If {other} is gone for good, hand it over: kubectl patch indexer {name} --namespace {namespace} --subresource \
             status --type merge --patch '{{\"status\":{{\"operator\":null}}}}'",
            ours.class.as_deref().unwrap_or(NO_CLASS),
        ),
        Why::Superseded => format!(
            "another process of operator {this} with other settings (version {version}) has taken this Indexer over, so the \
             one that had it (version {}) leaves it alone until it starts anew: without --lease only one may run",
            ours.version
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{defaults, operator as this};

    fn of(installation: &str, class: Option<&str>, settings: &str) -> OperatorStatus {
        OperatorStatus {
            installation: installation.into(),
            class: class.map(str::to_owned),
            version: "0.0.1".into(),
            settings: settings.into(),
        }
    }

    #[test]
    fn an_indexer_has_one_operator() {
        let ours = of("ns/a", Some("blue"), "1");
        let cases = [
            ("another class", Some("red"), None, false, Whose::OtherClass),
            ("no class", None, None, false, Whose::OtherClass),
            ("nobody's", Some("blue"), None, false, Whose::Free),
            ("freed by hand", Some("blue"), None, true, Whose::Free),
            ("ours", Some("blue"), Some(ours.clone()), false, Whose::Ours),
            (
                "another installation's",
                Some("blue"),
                Some(of("ns/b", Some("blue"), "1")),
                true,
                Whose::Other(Why::Installation),
            ),
            (
                "handed over from another class",
                Some("blue"),
                Some(of("ns/b", Some("red"), "1")),
                false,
                Whose::Free,
            ),
            (
                "handed over from no class",
                Some("blue"),
                Some(of("ns/b", None, "1")),
                false,
                Whose::Free,
            ),
            (
                "of an earlier process with other settings",
                Some("blue"),
                Some(of("ns/a", Some("blue"), "2")),
                false,
                Whose::Free,
            ),
            (
                "taken by another process with other settings",
                Some("blue"),
                Some(of("ns/a", Some("blue"), "2")),
                true,
                Whose::Other(Why::Superseded),
            ),
        ];
        for (what, class, last, has_had_it, expected) in cases {
            assert_eq!(whose(&ours, class, last.as_ref(), has_had_it), expected, "{what}");
        }
        let ours = of("ns/a", None, "1");
        assert_eq!(whose(&ours, None, None, false), Whose::Free);
        assert_eq!(whose(&ours, Some("blue"), None, false), Whose::OtherClass);
    }

    /// Each process takes an Indexer once, however often they look, so one has it in the end.
    #[test]
    fn processes_that_run_at_once_do_not_take_turns() {
        let processes = ["1", "2", "3"].map(|settings| of("ns/a", None, settings));
        let (mut status, mut had, mut taken) = (None, [false; 3], 0);
        for look in 0..30 {
            let at = look % 3;
            match whose(&processes[at], None, status.as_ref(), had[at]) {
                Whose::Free => {
                    status = Some(processes[at].clone());
                    had[at] = true;
                    taken += 1;
                }
                Whose::Ours => had[at] = true,
                Whose::OtherClass | Whose::Other(_) => {}
            }
        }
        assert_eq!((taken, status), (3, Some(processes[2].clone())));
    }

    #[test]
    fn what_makes_other_objects_is_another_setting() {
        let same = operator("ns/a".into(), None, &defaults());
        assert_eq!(same.settings, this().settings, "whatever the name");
        let mut defaults = defaults();
        defaults.image = "another".into();
        assert_ne!(operator("ns/a".into(), None, &defaults).settings, same.settings);
    }

    #[test]
    fn the_words_fit_into_an_event_and_name_both() {
        let long = "n".repeat(253);
        let ours = of(
            &format!("{}/{}", "a".repeat(63), "b".repeat(50)),
            Some(&"c".repeat(63)),
            "1",
        );
        let theirs = of(
            &format!("{}/{}", "d".repeat(63), "e".repeat(50)),
            Some(&"c".repeat(63)),
            "1",
        );
        for why in Why::ALL {
            let words = words(why, &ours, &theirs, &long[..63], &long[..40]);
            assert!(words.len() <= 1_024, "{}: {words}", words.len());
            assert!(words.contains(&ours.installation) && words.contains("0.0.1"), "{words}");
        }
    }
}
