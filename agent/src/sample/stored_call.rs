//! A call in a recording.

use super::stored_key::StoredKey as _;
use crate::calls::{Call, Code, Method, Protocol, is_route};
use netwhy_abi::EdgeKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One call.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredCall {
    edge: Vec<Value>,
    method: Method,
    route: String,
    status: u16,
    /// Absent of a call of gRPC whose begin or end was missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    us: Option<u64>,
    weight: u32,
    /// Of gRPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    /// Whether it is of HTTP/2, and not of gRPC.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    http2: bool,
}

impl StoredCall {
    pub(crate) fn new(call: &Call) -> Self {
        let Call { key, method, route, status, protocol, us, weight } = call;
        let (method, status, us, weight) = (*method, *status, *us, *weight);
        let (code, http2) = (protocol.code(), *protocol == Protocol::Http2);
        Self { edge: key.store(), method, route: route.clone(), status, us, weight, code, http2 }
    }

    /// The call.
    ///
    /// # Errors
    /// The reason why it is none.
    pub(crate) fn restore(self) -> Result<Call, String> {
        let Self { edge, method, route, status, us, weight, code, http2 } = self;
        let key = EdgeKey::restore(&edge).ok_or("a call is of no edge")?;
        if !is_route(&route) {
            return Err("a call has no route".to_owned());
        }
        let protocol = match (code, http2) {
            (Some(code), _) => Protocol::Grpc(code),
            (None, true) => Protocol::Http2,
            (None, false) => Protocol::Http1,
        };
        let is_unknown = status == 0 && protocol != Protocol::Http1;
        if !is_unknown && !(100..1_000).contains(&status) {
            return Err(format!("{status} is no status of a call"));
        }
        if us.is_none() && code.is_none() {
            return Err("a call has no duration".to_owned());
        }
        Ok(Call { key, method, route, status, protocol, us, weight })
    }
}
