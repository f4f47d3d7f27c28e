//! netwhy's scheduler program. It is a separate object: kernels before 5.11 refuse its task storage map, and a refused
//! map makes the whole object fail to load.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
#[allow(dead_code, reason = "the other object uses the rest")]
mod atomic;
#[cfg(target_arch = "bpf")]
#[allow(dead_code, reason = "the other object uses the rest")]
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
