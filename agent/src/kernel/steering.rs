//! The record that steers running programs.

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use netwhy_abi::Control;

/// `Control` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct ControlPod(Control);
// SAFETY: `repr(C)`, integers only, padding explicit.
unsafe impl aya::Pod for ControlPod {}

/// Writes the record that steers the programs; they may be attached or not.
pub(super) fn set_control(ebpf: &mut Ebpf, control: Control) -> anyhow::Result<()> {
    let map = ebpf.map_mut("CONTROL").ok_or_else(|| anyhow::anyhow!("the object has no map CONTROL"))?;
    let mut map: Array<&mut MapData, ControlPod> = map.try_into()?;
    Ok(map.set(0, ControlPod(control), 0)?)
}
