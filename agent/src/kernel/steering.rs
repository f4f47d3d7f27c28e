//! The records that steer running programs.

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use netwhy_abi::{Choice, Control, Shares};

/// `Control` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct ControlPod(Control);
// SAFETY: `repr(C)`, integers only, padding explicit.
unsafe impl aya::Pod for ControlPod {}

/// `Choice` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct ChoicePod(Choice);
// SAFETY: `repr(C)`, integers only, padding explicit.
unsafe impl aya::Pod for ChoicePod {}

/// `Shares` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct SharesPod(Shares);
// SAFETY: `repr(C)`, integers only, no padding.
unsafe impl aya::Pod for SharesPod {}

/// Sockets that may get storage, by need, and whether any was refused.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct RoomPod([u64; 3]);
// SAFETY: integers only.
unsafe impl aya::Pod for RoomPod {}

/// The map that the section of the programs' data with their [`Choice`] is.
const CHOICE: &str = ".data.choice";
/// The map that the section with their [`Shares`] is.
const SHARES: &str = ".data.shares";

/// Tells the programs whose response times to observe.
pub(super) fn set_choice(ebpf: &mut Ebpf, choice: Choice) -> anyhow::Result<()> {
    let map = ebpf.map_mut(CHOICE).ok_or_else(|| anyhow::anyhow!("the object has no map {CHOICE}"))?;
    let mut map: Array<&mut MapData, ChoicePod> = map.try_into()?;
    Ok(map.set(0, ChoicePod(choice), 0)?)
}

/// Tells the programs which exchanges and connections to sample for HTTP.
pub(super) fn set_shares(ebpf: &mut Ebpf, shares: Shares) -> anyhow::Result<()> {
    let map = ebpf.map_mut(SHARES).ok_or_else(|| anyhow::anyhow!("the object has no map {SHARES}"))?;
    let mut map: Array<&mut MapData, SharesPod> = map.try_into()?;
    Ok(map.set(0, SharesPod(shares), 0)?)
}

/// Writes the record that steers the programs; they may be attached or not.
pub(super) fn set_control(ebpf: &mut Ebpf, control: Control) -> anyhow::Result<()> {
    let map = ebpf.map_mut("CONTROL").ok_or_else(|| anyhow::anyhow!("the object has no map CONTROL"))?;
    let mut map: Array<&mut MapData, ControlPod> = map.try_into()?;
    Ok(map.set(0, ControlPod(control), 0)?)
}

/// Lets `sockets` of each need get storage.
pub(super) fn set_room(ebpf: &mut Ebpf, sockets: [u64; 2], has_shed: bool) -> anyhow::Result<()> {
    let map = ebpf.map_mut("STORAGE_ROOM").ok_or_else(|| anyhow::anyhow!("the object has no map STORAGE_ROOM"))?;
    let mut map: Array<&mut MapData, RoomPod> = map.try_into()?;
    Ok(map.set(0, RoomPod([sockets[0], sockets[1], u64::from(has_shed)]), 0)?)
}
