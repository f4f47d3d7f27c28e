//! Builds the kernel programs that the agent carries.
//!
//! The toolchain is `NETWHY_EBPF_TOOLCHAIN`, else what `cargo xtask` noted in `target/ebpf-toolchain`, else rustup's
//! `nightly`; it needs `rust-src`, and `bpf-linker` must be in `PATH`.

fn main() -> anyhow::Result<()> {
    #[cfg(feature = "ebpf")]
    ebpf::build()?;
    Ok(())
}

#[cfg(feature = "ebpf")]
mod ebpf {
    use anyhow::Context as _;
    use aya_build::{Package, Toolchain};

    const NOTE: &str = "../target/ebpf-toolchain";

    pub(crate) fn build() -> anyhow::Result<()> {
        println!("cargo:rerun-if-env-changed=NETWHY_EBPF_TOOLCHAIN");
        println!("cargo:rerun-if-changed={NOTE}");
        let noted = || std::fs::read_to_string(NOTE).ok().map(|text| text.trim().to_owned());
        let name = std::env::var("NETWHY_EBPF_TOOLCHAIN").ok().or_else(noted);
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "nightly".to_owned());
        if !name.starts_with("nightly") {
            // SAFETY: a build script's main thread, before any other thread exists. A distribution's stable compiler
            // builds `core` for the BPF target only when told that this is wanted.
            unsafe { std::env::set_var("RUSTC_BOOTSTRAP", "1") };
        }
        // The object names its source files, for the verifier's log: without this machine's folders, it is the same
        // everywhere.
        for (name, value) in [("CARGO_UNSTABLE_TRIM_PATHS", "true"), ("CARGO_PROFILE_RELEASE_TRIM_PATHS", "all")] {
            // SAFETY: as above; only the cargo that builds the object sees them.
            unsafe { std::env::set_var(name, value) };
        }
        let package = Package { name: "netwhy-ebpf", root_dir: "../agent-ebpf", ..Package::default() };
        aya_build::build_ebpf([package], Toolchain::Custom(&name)).with_context(|| {
            format!(
                "failed to build the kernel programs with rustup toolchain {name:?}: run `cargo xtask build-ebpf`, \
                 which installs what is missing, or set NETWHY_EBPF_TOOLCHAIN"
            )
        })
    }
}
