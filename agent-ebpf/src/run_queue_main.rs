//! netwhy's program on the scheduler: an object of its own, because kernels before 5.11 refuse the map that it needs, and
//! with it every other map of its object.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
#[allow(dead_code, reason = "the other object needs more of it")]
mod atomic;
#[cfg(target_arch = "bpf")]
#[allow(dead_code, reason = "the other object needs more of it")]
mod kernel;
#[cfg(target_arch = "bpf")]
mod object;
#[cfg(target_arch = "bpf")]
#[path = "programs/run_queue.rs"]
mod program;

#[cfg(not(target_arch = "bpf"))]
fn main() {
    eprintln!("netwhy-run-queue runs in the kernel: build netwhy-agent, which carries and loads it");
    std::process::exit(64);
}
