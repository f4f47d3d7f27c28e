//! Ports that have edges of their own: how many each address has.

use super::load::Loaded;
use aya::maps::{HashMap, MapData};
use netwhy_abi::{EdgeKey, EdgeStats};
use std::collections::BTreeMap;

/// `EdgeKey` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct KeyPod(EdgeKey);
// SAFETY: `repr(C)`, integers only, without padding.
unsafe impl aya::Pod for KeyPod {}

impl Loaded {
    /// Gives addresses the places of the edges back that were taken out; `rows`: all edges before that.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn free_ports(&mut self, gone: &[EdgeKey], rows: &[(EdgeKey, EdgeStats)]) -> anyhow::Result<()> {
        let left = ports_left(gone, rows.iter().map(|(key, _)| *key));
        if left.is_empty() {
            return Ok(());
        }
        let map = self.ebpf.map_mut("PORTS").ok_or_else(|| anyhow::anyhow!("the object has no map PORTS"))?;
        let mut map: HashMap<&mut MapData, KeyPod, u64> = map.try_into()?;
        for (address, ports) in left {
            match ports {
                // It may be gone already.
                0 => drop(map.remove(&KeyPod(address))),
                _ => map.insert(KeyPod(address), ports, 0)?,
            }
        }
        Ok(())
    }
}

/// By address, of those in `gone`, the number of ports that still have edges.
fn ports_left(gone: &[EdgeKey], all: impl Iterator<Item = EdgeKey>) -> BTreeMap<EdgeKey, u64> {
    let has_port = |key: &&EdgeKey| key.port != 0;
    let mut left: BTreeMap<EdgeKey, u64> = gone.iter().filter(has_port).map(|key| (key.of_ports(), 0)).collect();
    if left.is_empty() {
        return left;
    }
    let gone: std::collections::BTreeSet<&EdgeKey> = gone.iter().collect();
    for key in all.filter(|key| key.port != 0 && !gone.contains(key)) {
        if let Some(ports) = left.get_mut(&key.of_ports()) {
            *ports += 1;
        }
    }
    left
}

#[cfg(test)]
mod tests;
