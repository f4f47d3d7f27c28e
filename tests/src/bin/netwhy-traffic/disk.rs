//! `disk`: reads a file of its own over and over, through the page cache or past it.

use crate::stats::{Stats, add, report};
use anyhow::{Context as _, Result};
use netwhy_tests::stop;
use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::Arc,
};

/// Bytes per read; direct reads need whole blocks.
const BLOCK: usize = 256 << 10;

/// Read a file over and over
///
/// Buffered reads thrash the page cache of a cgroup with less memory than the file; direct reads load the disk.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File to make; it is removed at the end
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Its length
    #[arg(long, default_value_t = 64, value_name = "MB")]
    mbytes: usize,
    /// Read past the page cache
    #[arg(long)]
    direct: bool,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn run(args: Args) -> Result<()> {
    stop::install()?;
    let name = args.file.display().to_string();
    let mut file = File::create_new(&args.file).with_context(|| format!("make {name}"))?;
    for _ in 0..args.mbytes * 4 {
        file.write_all(&vec![0x5a; BLOCK]).with_context(|| format!("fill {name}"))?;
    }
    file.sync_all().with_context(|| format!("write {name} to the disk"))?;
    let flags = if args.direct { libc::O_DIRECT } else { 0 };
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&args.file);
    // Nobody needs its name: it goes with the last descriptor, also when this program is killed.
    std::fs::remove_file(&args.file).with_context(|| format!("remove {name}"))?;
    let mut file = file.with_context(|| format!("open {name}"))?;
    let stats = Arc::new(Stats::default());
    stats.spawn(move |stats| {
        // Direct reads need an aligned buffer.
        let mut room = vec![0; 2 * BLOCK];
        let start = room.as_ptr().align_offset(4096);
        while !stop::requested() {
            match file.read(&mut room[start..start + BLOCK]) {
                Ok(0) => drop(file.rewind()),
                Ok(n) => add(&stats.bytes_received, n),
                Err(error) => stats.fail(&error),
            }
        }
    })?;
    report("disk", None, args.seconds, &stats)
}
