//! Decisions of an admission policy: its expressions, evaluated by an implementation of CEL that is not the API
//! server's.

use cel::{Context, Env, Value as Cel, to_value};
use k8s_openapi::api::admissionregistration::v1::{
    NamedRuleWithOperations, ValidatingAdmissionPolicySpec, Validation, Variable,
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

/// A write that the API server asks the policy about.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) group: &'static str,
    pub(crate) resource: &'static str,
    /// Empty: the object itself.
    pub(crate) sub_resource: &'static str,
    pub(crate) operation: &'static str,
    /// Name of the object.
    pub(crate) name: String,
    /// Who writes, as `request.userInfo` has it.
    pub(crate) user: Value,
    pub(crate) after: Value,
    /// `null`: a new object.
    pub(crate) before: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The policy is not about this write.
    Other,
    Allowed,
    /// With the message of the first rule that refuses.
    Denied(String),
}

/// The policy's decision. An expression that fails is a defect of the policy: it would refuse for no reason.
///
/// # Panics
/// When an expression can't be compiled, or fails.
pub(crate) fn decide(policy: &ValidatingAdmissionPolicySpec, write: &Write) -> Decision {
    let constraints = policy.match_constraints.as_ref().expect("constraints");
    if !constraints.resource_rules.iter().flatten().any(|rule| is_about(rule, write)) {
        return Decision::Other;
    }
    let env = Arc::new(Env::stdlib());
    let mut context = Context::with_env(Arc::clone(&env));
    let mut request = json!({
        "operation": write.operation,
        "name": write.name,
        "resource": {"group": write.group, "version": "v1", "resource": write.resource},
        "userInfo": write.user,
    });
    // The API server leaves empty fields out.
    if !write.sub_resource.is_empty() {
        request["subResource"] = write.sub_resource.into();
    }
    for (name, value) in [("request", &request), ("object", &write.after), ("oldObject", &write.before)] {
        context.add_variable_from_value(name, to_value(value).expect("JSON is a value"));
    }
    let evaluate = |context: &Context<'_, '_>, expression: &str| {
        let program = env.compile(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        program.execute(context).unwrap_or_else(|error| panic!("{expression}: {error}: {write:?}"))
    };
    let conditions = policy.match_conditions.iter().flatten();
    if !conditions.map(|condition| evaluate(&context, &condition.expression)).all(|value| value == Cel::Bool(true)) {
        return Decision::Other;
    }
    let mut variables = HashMap::new();
    for Variable { name, expression } in policy.variables.iter().flatten() {
        variables.insert(name.clone(), evaluate(&context, expression));
        context.add_variable_from_value("variables", variables.clone());
    }
    for Validation { expression, message, message_expression, .. } in policy.validations.iter().flatten() {
        match evaluate(&context, expression) {
            Cel::Bool(true) => {}
            Cel::Bool(false) => {
                let computed = message_expression.as_deref().map(|text| match evaluate(&context, text) {
                    Cel::String(text) => text.to_string(),
                    other => panic!("{text}: a message of {other:?}"),
                });
                return Decision::Denied(computed.or_else(|| message.clone()).expect("a message"));
            }
            other => panic!("{expression}: {other:?} is no decision"),
        }
    }
    Decision::Allowed
}

fn is_about(rule: &NamedRuleWithOperations, write: &Write) -> bool {
    let has = |list: &Option<Vec<String>>, wanted: &str| list.iter().flatten().any(|one| one == wanted);
    let resource = match write.sub_resource {
        "" => write.resource.to_owned(),
        sub => format!("{}/{sub}", write.resource),
    };
    has(&rule.api_groups, write.group)
        && has(&rule.api_versions, "v1")
        && has(&rule.operations, write.operation)
        && has(&rule.resources, &resource)
}
