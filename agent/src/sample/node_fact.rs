//! Facts in which Nodes may differ. No rule reads them, so recordings leave them out.

use super::State;
use std::sync::Arc;

/// One fact in which Nodes may differ, such as the setting of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFact {
    /// Name. Offloads and sysctls have the names of `ethtool` and `sysctl`.
    pub name: &'static str,
    /// Interface. `None`: the Node as a whole.
    pub on: Option<Arc<str>>,
    /// The value, at most 256 bytes; or why there is none. Never [`State::Ok`].
    pub value: Result<String, State>,
    /// Unit of a quantity. `None`: a setting, or a name.
    pub unit: Option<&'static str>,
}
