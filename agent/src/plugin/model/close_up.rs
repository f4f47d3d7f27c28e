//! The report of `watch-closer`.

use serde::Serialize;

/// A close-up that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requested {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub pod: String,
    /// Its Node.
    pub node: String,
    /// Its end, in RFC 3339. `None`: it ends now.
    pub until: Option<String>,
}
