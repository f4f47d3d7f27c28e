//! Errors of libraries and servers as one line with a remedy.

use super::super::{Failure, connect::DialError};
use crate::kube::one_line;
use std::{error::Error, time::Duration};

/// An error of the API server, or no answer.
pub(super) fn from_api(what: &str, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 403 => Failure::new(
            format!("{what}: forbidden: {}", status.message),
            "ask for that right; docs/oncall.md lists all",
        ),
        kube::Error::Api(status) if status.code == 401 => {
            Failure::new(format!("{what}: the API server rejects the credentials"), "log in again")
        }
        kube::Error::Api(status) if status.code == 404 => Failure::new(format!("{what}: not found"), ""),
        kube::Error::Api(status) => Failure::new(format!("{what}: {}", status.message), ""),
        other => no_answer(other).at(what),
    }
}

/// A request without an answer of the API server.
pub(super) fn no_answer(error: &kube::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(next) = cause {
        if let Some(dial) = next.downcast_ref::<DialError>() {
            return Failure::new(format!("the API server does not answer: {dial}"), dial.remedy());
        }
        // Of a credential plugin.
        if let Some(failure) = next.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = next.source();
    }
    Failure::new(format!("the API server does not answer: {}", one_line(error)), "check --context, the network and VPN")
}

/// A timeout.
pub(super) fn timed_out(what: &str, limit: Duration) -> Failure {
    let what = format!("{what}: no answer within {} s", limit.as_secs_f64());
    Failure::new(what, "raise --request-timeout")
}

/// True if the API server has no such object or path.
pub(super) fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
