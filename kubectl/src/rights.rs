//! (pure) Rights of the API server, and the roles that have them: what a person without one must ask for.

use std::fmt;

/// What a call to the API server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    verb: &'static str,
    resource: &'static str,
    /// None: of all namespaces.
    namespace: Option<String>,
}

impl Right {
    /// The right to do this with these resources in a namespace.
    #[must_use]
    pub fn within(verb: &'static str, resource: &'static str, namespace: &str) -> Self {
        Self {
            verb,
            resource,
            namespace: Some(namespace.to_owned()),
        }
    }

    /// Likewise, in all namespaces.
    #[must_use]
    pub fn everywhere(verb: &'static str, resource: &'static str) -> Self {
        Self {
            verb,
            resource,
            namespace: None,
        }
    }

    /// A role that has it.
    #[must_use]
    pub fn role(&self) -> &'static str {
        match (self.resource, self.verb) {
            ("indexers.shrewd.dev", "get" | "list" | "watch") => {
                "the ClusterRole shrewd-indexers-view has it, and with it Kubernetes' own view, edit and admin"
            }
            ("indexers.shrewd.dev", _) => {
                "the ClusterRole shrewd-indexers-edit has it, and with it Kubernetes' own edit and admin"
            }
            ("pods/portforward", _) => {
                "shrewd-indexers-view does not have it; Kubernetes' own ClusterRole edit does, bound in the namespace"
            }
            _ => "Kubernetes' own ClusterRole view has it, bound in the namespace",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in all namespaces"),
        }
    }
}
