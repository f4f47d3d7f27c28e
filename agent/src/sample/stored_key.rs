//! The form of a key in recordings.

use netwhy_abi::{DropKey, EdgeKey, Key, OverflowKey};
use serde_json::{Value, json};
use std::net::Ipv6Addr;

/// A key that recordings can hold.
pub trait StoredKey: Key {
    /// Its parts.
    fn store(&self) -> Vec<Value>;

    /// The key of these parts. `None`: they are no key.
    fn restore(parts: &[Value]) -> Option<Self>;
}

impl StoredKey for u64 {
    fn store(&self) -> Vec<Value> {
        vec![json!(self)]
    }

    fn restore(parts: &[Value]) -> Option<Self> {
        let [cgroup] = parts else { return None };
        cgroup.as_u64()
    }
}

impl StoredKey for EdgeKey {
    fn store(&self) -> Vec<Value> {
        let address = [json!(self.cgroup), json!(Ipv6Addr::from(self.addr))];
        let identity = [json!(self.port), json!(self.role), json!(self.redirected), json!(self.netns)];
        // Recordings of before know the address alone.
        let has_identity = *self != Self::new(self.cgroup, self.addr);
        address.into_iter().chain(identity.into_iter().filter(|_| has_identity)).collect()
    }

    fn restore(parts: &[Value]) -> Option<Self> {
        let [cgroup, addr, identity @ ..] = parts else { return None };
        let addr: Ipv6Addr = addr.as_str()?.parse().ok()?;
        let key = Self::new(cgroup.as_u64()?, addr.octets());
        let [port, role, redirected, netns] = identity else { return identity.is_empty().then_some(key) };
        Some(Self {
            port: port.as_u64()?.try_into().ok()?,
            role: role.as_u64()?.try_into().ok()?,
            redirected: redirected.as_u64()?.try_into().ok()?,
            netns: netns.as_u64()?.try_into().ok()?,
            ..key
        })
    }
}

/// The parts of a key that is a cgroup and a number.
fn numbered(parts: &[Value]) -> Option<(u64, u32)> {
    let [cgroup, number] = parts else { return None };
    Some((cgroup.as_u64()?, number.as_u64()?.try_into().ok()?))
}

impl StoredKey for OverflowKey {
    fn store(&self) -> Vec<Value> {
        vec![json!(self.cgroup), json!(self.class)]
    }

    fn restore(parts: &[Value]) -> Option<Self> {
        numbered(parts).map(|(cgroup, class)| Self { cgroup, class, pad: 0 })
    }
}

impl StoredKey for DropKey {
    fn store(&self) -> Vec<Value> {
        vec![json!(self.cgroup), json!(self.reason)]
    }

    fn restore(parts: &[Value]) -> Option<Self> {
        numbered(parts).map(|(cgroup, reason)| Self { cgroup, reason, pad: 0 })
    }
}
