//! Flux' own health checks: the expressions of the example, evaluated as its kustomize-controller does.

use cel::{Context, Program};
use serde_json::Value;

use crate::{kstatus::Kstatus, read_yaml, recorded, repository};

/// The expressions for one kind, out of a Kustomization.
struct Expressions {
    in_progress: Program,
    failed: Program,
    current: Program,
}

impl Expressions {
    fn of(environment: &str) -> Self {
        let path = repository().join(format!("integrations/gitops-repository/flux/{environment}.yaml"));
        let kustomization = read_yaml(&path);
        let checks = kustomization["spec"]["healthCheckExprs"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|c| c["apiVersion"] == "shrewd.dev/v1alpha1" && c["kind"] == "Indexer");
        let program = |name: &str| Program::compile(check.unwrap()[name].as_str().unwrap()).unwrap();
        Self {
            in_progress: program("inProgress"),
            failed: program("failed"),
            current: program("current"),
        }
    }

    /// A generation not looked at comes first, then the expressions in this order. One that cannot be evaluated, for a
    /// field that is not there, gives no verdict, so that Flux keeps waiting.
    fn verdict(&self, object: &Value) -> Kstatus {
        let observed = &object["status"]["observedGeneration"];
        if !observed.is_null() && *observed != object["metadata"]["generation"] {
            return Kstatus::InProgress;
        }
        for (program, verdict) in [
            (&self.in_progress, Kstatus::InProgress),
            (&self.failed, Kstatus::Failed),
            (&self.current, Kstatus::Current),
        ] {
            match holds(program, object) {
                Some(true) => return verdict,
                Some(false) => {}
                None => return Kstatus::InProgress,
            }
        }
        Kstatus::InProgress
    }
}

/// The fields of the object are the variables.
fn holds(program: &Program, object: &Value) -> Option<bool> {
    let mut context = Context::default();
    for (name, value) in object.as_object().unwrap() {
        context.add_variable(name.as_str(), value).unwrap();
    }
    match program.execute(&context) {
        Ok(cel::Value::Bool(holds)) => Some(holds),
        Ok(other) => panic!("not a boolean: {other:?}"),
        Err(_) => None,
    }
}

#[test]
fn expressions_read_every_recorded_object_as_expected() {
    for environment in ["staging", "production"] {
        let expressions = Expressions::of(environment);
        for recorded in recorded::all() {
            let expected = recorded.expected.flux.unwrap_or(recorded.expected.kstatus);
            assert_eq!(
                expressions.verdict(&recorded.object),
                expected,
                "{environment}: {}",
                recorded.file
            );
        }
    }
}
