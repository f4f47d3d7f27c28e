//! From errors of libraries and servers to one line with its remedy.

use super::super::Trouble;
use crate::pods::one_line;
use std::{error::Error, time::Duration};

/// A configuration that can't be used.
pub(super) fn unusable(error: &(dyn Error + 'static)) -> Trouble {
    Trouble::new(format!("the kubeconfig can't be used: {}", one_line(error)), "check it with `kubectl config view`")
}

/// An answer of the API server, or none.
pub(super) fn of_api(what: &str, error: &kube::Error) -> Trouble {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            Trouble::new(format!("{what}: forbidden: {}", status.message), "ask for that right, see README.md")
        }
        kube::Error::Api(status) if status.code == 401 => {
            Trouble::new(format!("{what}: the API server doesn't accept the credentials"), "log in again")
        }
        kube::Error::Api(status) if status.code == 404 => Trouble::new(format!("{what}: not found"), ""),
        kube::Error::Api(status) => Trouble::new(format!("{what}: {}", status.message), ""),
        other => Trouble::new(
            format!("{what}: the API server doesn't answer: {}", one_line(other)),
            "check --context, the network and VPN",
        ),
    }
}

/// No answer in time.
pub(super) fn late(what: &str, limit: Duration) -> Trouble {
    let what = format!("{what}: no answer within {} s", limit.as_secs_f64());
    Trouble::new(what, "wait longer with --request-timeout")
}

/// True when an API answered that it has no such object or path.
pub(super) fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
