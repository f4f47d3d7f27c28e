//! Builds the kernel programs that the agent carries.
//!
//! The toolchain is `NETWHY_EBPF_TOOLCHAIN`, else the name that `cargo xtask` wrote to `target/ebpf-toolchain`, else
//! rustup's `nightly`. It needs `rust-src`, and `bpf-linker` must be in `PATH`.

fn main() -> anyhow::Result<()> {
    #[cfg(feature = "ebpf")]
    ebpf::build()?;
    Ok(())
}

#[cfg(feature = "ebpf")]
mod ebpf {
    use anyhow::Context as _;
    use aya_build::{Package, Toolchain};
    use std::fs::{self, File};

    /// Name of the toolchain.
    const CHOICE: &str = "../target/ebpf-toolchain";
    /// `cargo xtask` holds this lock while it installs `bpf-linker`, so that the crates compile meanwhile.
    const LOCK: &str = "../target/ebpf-toolchain.lock";
    /// Settings for the cargo that builds the kernel programs, and for no other.
    const CARGO: [(&str, &str); 4] = [
        // The object names its source files, for the verifier's log. Without this machine's folders it is the same
        // everywhere.
        ("CARGO_UNSTABLE_TRIM_PATHS", "true"),
        ("CARGO_PROFILE_RELEASE_TRIM_PATHS", "all"),
        // aya-build prints all of cargo's output as warnings: errors and warnings stay, progress goes.
        ("CARGO_TERM_QUIET", "true"),
        // Whoever reads the progress of the build as a whole asks cargo for a progress bar: this cargo draws none.
        ("CARGO_TERM_PROGRESS_WHEN", "never"),
    ];

    pub(crate) fn build() -> anyhow::Result<()> {
        println!("cargo:rerun-if-env-changed=NETWHY_EBPF_TOOLCHAIN");
        println!("cargo:rerun-if-changed={CHOICE}");
        wait_for_linker()?;
        let chosen = || fs::read_to_string(CHOICE).ok().map(|text| text.trim().to_owned());
        let name = std::env::var("NETWHY_EBPF_TOOLCHAIN").ok().or_else(chosen);
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "nightly".to_owned());
        if !name.starts_with("nightly") {
            // SAFETY: a build script's main thread, before any other thread exists. A distribution's stable compiler
            // builds `core` for the BPF target only with this variable.
            unsafe { std::env::set_var("RUSTC_BOOTSTRAP", "1") };
        }
        for (name, value) in CARGO {
            // SAFETY: as above.
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

    /// Returns at once where nobody installs it.
    fn wait_for_linker() -> anyhow::Result<()> {
        match File::open(LOCK) {
            Ok(lock) => lock.lock_shared().with_context(|| format!("failed to wait for the lock {LOCK}")),
            Err(_) => Ok(()),
        }
    }
}
