//! Builds the kernel programs that the agent carries.
//!
//! The toolchain is `NETWHY_EBPF_TOOLCHAIN`, else the name that `cargo xtask` wrote to `target/ebpf-toolchain`, else
//! rustup's `nightly`. It needs `rust-src`, and `bpf-linker` must be in `PATH`.

fn main() -> anyhow::Result<()> {
    // The target's, not this machine's: the plugin is built for systems without these programs too.
    #[cfg(feature = "ebpf")]
    if std::env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|system| system == "linux") {
        ebpf::build()?;
    }
    Ok(())
}

#[cfg(feature = "ebpf")]
mod ebpf {
    use anyhow::Context as _;
    use aya_build::{Package, Toolchain};
    use flate2::{Compression, write::DeflateEncoder};
    use object::{
        build::elf::{Builder, SectionData},
        elf::SHT_STRTAB,
    };
    use std::{
        env,
        fs::{self, File},
        io::Write as _,
        path::Path,
    };

    /// Name of the toolchain.
    const CHOICE: &str = "../target/ebpf-toolchain";
    /// `cargo xtask` holds this lock while it installs `bpf-linker`, so that the crates compile meanwhile.
    const LOCK: &str = "../target/ebpf-toolchain.lock";
    /// The objects that the agent carries.
    const OBJECTS: [&str; 2] = [LARGE, "netwhy-run-queue"];
    /// The one that it carries compressed: a megabyte less, and it is needed once.
    const LARGE: &str = "netwhy-bpf";
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
        let name = env::var("NETWHY_EBPF_TOOLCHAIN").ok().or_else(chosen);
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "nightly".to_owned());
        if !name.starts_with("nightly") {
            // SAFETY: a build script's main thread, before any other thread exists. A distribution's stable compiler
            // builds `core` for the BPF target only with this variable.
            unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
        }
        for (name, value) in CARGO {
            // SAFETY: as above.
            unsafe { env::set_var(name, value) };
        }
        let package = Package { name: "netwhy-ebpf", root_dir: "../agent-ebpf", ..Package::default() };
        aya_build::build_ebpf([package], Toolchain::Custom(&name)).with_context(|| {
            format!(
                "failed to build the kernel programs with rustup toolchain {name:?}: run `cargo xtask build-ebpf`, \
                 which installs what is missing, or set NETWHY_EBPF_TOOLCHAIN"
            )
        })?;
        let out = env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?;
        OBJECTS.iter().try_for_each(|name| strip(&Path::new(&out).join(name)))?;
        compress(&Path::new(&out).join(LARGE))
    }

    /// Writes `NAME.deflate` beside an object.
    fn compress(object: &Path) -> anyhow::Result<()> {
        let what = || format!("compress {}", object.display());
        let data = fs::read(object).with_context(what)?;
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        let compressed = deflate.write_all(&data).and_then(|()| deflate.finish()).with_context(what)?;
        fs::write(object.with_extension("deflate"), compressed).with_context(what)
    }

    /// Takes the debug information out of an object: most of it. The kernel reads types and lines from `.BTF` and
    /// `.BTF.ext`, which stay.
    fn strip(object: &Path) -> anyhow::Result<()> {
        let what = || format!("strip {}", object.display());
        let data = fs::read(object).with_context(what)?;
        let mut builder = Builder::read(&*data).with_context(what)?;
        for section in &mut builder.sections {
            let name = section.name.as_slice();
            section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
        }
        // The linker keeps names of sections and of symbols in one table; the writer wants two.
        let names = builder.sections.add();
        (names.name, names.sh_type, names.data) = (".shstrtab".into(), SHT_STRTAB, SectionData::SectionString);
        let mut stripped = Vec::new();
        builder.write(&mut stripped).with_context(what)?;
        fs::write(object, stripped).with_context(what)
    }

    /// Returns at once where nobody installs it.
    fn wait_for_linker() -> anyhow::Result<()> {
        match File::open(LOCK) {
            Ok(lock) => lock.lock_shared().with_context(|| format!("failed to wait for the lock {LOCK}")),
            Err(_) => Ok(()),
        }
    }
}
