//! Capabilities of this thread, and of the threads that it starts later.

use super::{Kept, threads};
use rustix::{
    io::Errno,
    thread::{
        CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities_secure_bits, capability_is_in_bounding_set,
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
        set_capabilities_secure_bits,
    },
};
use std::io;

/// Sets that a kernel may demand for reading maps, the smallest first. Each takes in the one before.
const STEPS: [CapabilitySet; 4] = [
    CapabilitySet::empty(),
    CapabilitySet::BPF,
    CapabilitySet::BPF.union(CapabilitySet::PERFMON),
    CapabilitySet::BPF.union(CapabilitySet::PERFMON).union(CapabilitySet::SYS_ADMIN),
];

/// Root is a user like others, the user's change adds no capability, and neither can be switched on again.
const LOCKS: CapabilitiesSecureBits = CapabilitiesSecureBits::NO_ROOT
    .union(CapabilitiesSecureBits::NO_ROOT_LOCKED)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED)
    .union(CapabilitiesSecureBits::KEEP_CAPS_LOCKED)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED);

/// Names of capabilities, without the prefix `CAP_`.
pub(super) fn names(set: CapabilitySet) -> impl Iterator<Item = &'static str> {
    set.iter_names().map(|(name, _)| name)
}

/// The smallest of [`STEPS`] with which `works` is not refused, and the reason if it is not the empty one. Any other
/// failure of `works` is no matter of rights.
///
/// # Errors
/// When `works` is refused with every set.
pub(super) fn needed(
    permitted: CapabilitySet,
    mut works: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<(CapabilitySet, Option<String>)> {
    let mut refusal = None;
    for step in STEPS.map(|step| step & permitted) {
        set_effective(permitted, step)?;
        match works() {
            Err(error) if is_refusal(&error) => refusal = Some(error),
            _ => {
                let why = |error| format!("this kernel needs them to read maps (before Linux 5.19): {error:#}");
                return Ok((step, refusal.map(why)));
            }
        }
    }
    let error = refusal.unwrap_or_else(|| anyhow::anyhow!("no attempt"));
    Err(error.context("the kernel refuses to read the maps of attached programs"))
}

/// Whether the kernel refused something for lack of a right.
fn is_refusal(error: &anyhow::Error) -> bool {
    let number = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>()?.raw_os_error();
    error.chain().find_map(number) == Some(Errno::PERM.raw_os_error())
}

fn set_effective(permitted: CapabilitySet, effective: CapabilitySet) -> io::Result<()> {
    Ok(set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })?)
}

/// Empties the bounding set and locks the secure bits, so that no program that this process starts gets a capability.
///
/// # Errors
/// The kernel's refusal although the capability SETPCAP is there.
pub(super) fn lock(permitted: CapabilitySet) -> io::Result<Option<Kept>> {
    if !permitted.contains(CapabilitySet::SETPCAP) {
        let why = "the bounding set: grant the capability SETPCAP, which the agent drops; no_new_privs is set";
        return Ok(Some(Kept { right: threads::BOUNDING_SET, why: why.to_owned() }));
    }
    set_effective(permitted, CapabilitySet::SETPCAP)?;
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(one) {
            Ok(true) => remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            // The kernel's capabilities end here.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let mut bits = capabilities_secure_bits()?;
    if !bits.contains(CapabilitiesSecureBits::KEEP_CAPS_LOCKED) {
        bits.remove(CapabilitiesSecureBits::KEEP_CAPS);
    }
    set_capabilities_secure_bits(bits | LOCKS)?;
    Ok(None)
}

/// Keeps these capabilities and no other, in no set that a started program inherits.
pub(super) fn keep_only(kept: CapabilitySet) -> io::Result<()> {
    clear_ambient_capability_set()?;
    set_effective(kept, kept)
}
