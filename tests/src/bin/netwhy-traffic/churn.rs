//! `churn`: short connections in one cgroup after the other.

use crate::{
    stats::{Stats, add, report},
    wire::{Connecting, HEADER, obey_stdin, resolve},
};
use anyhow::{Context as _, Result, bail};
use netwhy_tests::stop;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Length of an answer.
const ANSWER: u32 = 64;

/// Open short connections (to `server`) in one cgroup after the other
///
/// Lines on standard input say where: `visit DIR N` makes the cgroup, opens N connections in it, one after the other,
/// and returns; `remove DIR` removes it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// Cgroup directory between visits (version 2)
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    #[command(flatten)]
    connecting: Connecting,
}

pub(crate) fn run(args: Args) -> Result<()> {
    stop::install()?;
    let targets = resolve(std::slice::from_ref(&args.to))?;
    let to = *targets.first().with_context(|| format!("--to {}: no address", args.to))?;
    args.connecting.check()?;
    enter(&args.home)?;
    let stats = Arc::new(Stats::default());
    let counted = Arc::clone(&stats);
    obey_stdin(move |words| match words {
        ["visit", dir, connections] => {
            let dir = Path::new(dir);
            fs::create_dir_all(dir).with_context(|| format!("make the cgroup {}", dir.display()))?;
            enter(dir)?;
            for _ in 0..connections.parse::<u32>()? {
                match exchange(to, &args.connecting) {
                    Ok(()) => add(&counted.connects, 1),
                    Err(error) => counted.fail(&error),
                }
            }
            enter(&args.home)
        }
        ["remove", dir] => fs::remove_dir(dir).with_context(|| format!("remove the cgroup {dir}")),
        _ => bail!("not `visit DIR N` or `remove DIR`"),
    });
    report("churn", None, None, &stats)
}

/// Moves this process to a cgroup; sockets belong to the cgroup that they are made in.
fn enter(dir: &Path) -> Result<()> {
    fs::write(dir.join("cgroup.procs"), "0").with_context(|| format!("enter the cgroup {}", dir.display()))
}

/// One request with a short answer on a connection of its own.
fn exchange(to: SocketAddr, connecting: &Connecting) -> std::io::Result<()> {
    let mut stream = connecting.open(to)?;
    let mut request = [0; HEADER];
    request[..4].copy_from_slice(&(HEADER as u32).to_be_bytes());
    request[4..8].copy_from_slice(&ANSWER.to_be_bytes());
    stream.write_all(&request)?;
    stream.read_exact(&mut [0; ANSWER as usize])
}
