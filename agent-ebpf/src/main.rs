//! netwhy's kernel programs. [`programs`] has the entry points, one file per family of hooks; [`maps`] has the maps.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
mod atomic;
#[cfg(target_arch = "bpf")]
mod close_ups;
#[cfg(target_arch = "bpf")]
mod figures;
#[cfg(target_arch = "bpf")]
mod handshake;
#[cfg(target_arch = "bpf")]
mod identity;
#[cfg(target_arch = "bpf")]
mod kernel;
#[cfg(target_arch = "bpf")]
mod kfunc;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod object;
#[cfg(target_arch = "bpf")]
mod offsets;
#[cfg(target_arch = "bpf")]
mod programs;
#[cfg(target_arch = "bpf")]
mod sock;
#[cfg(target_arch = "bpf")]
mod socket;
#[cfg(target_arch = "bpf")]
mod storage;
#[cfg(target_arch = "bpf")]
mod subflows;

#[cfg(not(target_arch = "bpf"))]
fn main() {
    eprintln!("netwhy-bpf runs in the kernel: build netwhy-agent, which carries and loads it");
    std::process::exit(64);
}
