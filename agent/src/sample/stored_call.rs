//! A call in a recording.

use super::stored_key::StoredKey as _;
use crate::calls::{Call, Method, is_route};
use netwhy_abi::EdgeKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One call.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredCall {
    edge: Vec<Value>,
    method: Method,
    route: String,
    status: u16,
    us: u64,
    weight: u32,
}

impl StoredCall {
    pub(super) fn new(call: &Call) -> Self {
        let Call { key, method, route, status, us, weight } = call;
        let (method, status, us, weight) = (*method, *status, *us, *weight);
        Self { edge: key.store(), method, route: route.clone(), status, us, weight }
    }

    /// The call.
    ///
    /// # Errors
    /// The reason why it is none.
    pub(super) fn restore(self) -> Result<Call, String> {
        let Self { edge, method, route, status, us, weight } = self;
        let key = EdgeKey::restore(&edge).ok_or("a call is of no edge")?;
        if !is_route(&route) {
            return Err("a call has no route".to_owned());
        }
        if !(100..1_000).contains(&status) {
            return Err(format!("{status} is no status of a call"));
        }
        Ok(Call { key, method, route, status, us, weight })
    }
}
