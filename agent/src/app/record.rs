//! `record`: writes snapshots to a file.

use super::{
    Failure, Source,
    attach::{Opened, open_and_drop_privileges},
    configuration, node_name, runtime,
    signals::{Signals, Starting},
};
use crate::{
    config::cli::Cli,
    kernel,
    peers::PeerTable,
    sample::{Header, Recorder, SampleSource as _},
};
use anyhow::Context as _;
use std::{fs::File, io::BufWriter, path::Path, time::Duration};

/// Writes snapshots to a file until stopped, or for `seconds`. `starting` handles signals until the first snapshot.
///
/// # Errors
/// [`Failure`], also when the file exists already.
pub fn record(cli: &Cli, file: &Path, seconds: Option<u64>, starting: Starting) -> Result<(), Failure> {
    let (config, _) = configuration(cli)?;
    let out = File::create_new(file)
        .with_context(|| {
            format!("failed to create the recording {}: choose a file that does not exist", file.display())
        })
        .map_err(Failure::usage)?;
    let opened = open_and_drop_privileges(cli, &config).inspect_err(|_| {
        // Nothing was recorded: leave no empty file behind.
        let _ = std::fs::remove_file(file);
    })?;
    let Opened { mut source, peers, .. } = opened;
    let header = header(node_name(&config), &source, &peers);
    let name = file.display().to_string();
    let mut recorder = Recorder::begin(BufWriter::new(out), &name, &header)?;
    let limit = seconds.map(Duration::from_secs);
    let tick = config.sampling.tick_seconds();
    let snapshots = runtime()?.block_on(async {
        let signals = Signals::receive()?;
        starting.end(&signals);
        write_snapshots(&mut source, &mut recorder, (tick, limit), signals).await
    })?;
    recorder.finish()?;
    crate::text::complain(&format!("{name}: {snapshots} snapshots"));
    Ok(())
}

fn header(node: String, source: &Source, peers: &PeerTable) -> Header {
    Header {
        node,
        kernel: kernel::release().1,
        drop_reasons: source.loaded().drop_reasons.clone(),
        prefixes: peers.prefixes().into_iter().map(|(addr, bits, class)| (addr, bits, class as u32)).collect(),
        nodes: peers.nodes(),
        ..Header::default()
    }
}

/// Writes one snapshot a tick until a signal or the limit. Returns their number.
async fn write_snapshots(
    source: &mut Source,
    recorder: &mut Recorder<BufWriter<File>>,
    (tick, limit): (Duration, Option<Duration>),
    signals: Signals,
) -> anyhow::Result<u64> {
    let mut interval = tokio::time::interval(tick);
    let mut shutdown = std::pin::pin!(signals.shutdown());
    let mut snapshots = 0;
    let began = kernel::monotonic();
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(snapshots),
            _ = interval.tick() => {}
        }
        if let Some(snapshot) = source.sample()? {
            recorder.push(&snapshot)?;
            snapshots += 1;
        }
        if limit.is_some_and(|limit| kernel::monotonic().saturating_sub(began) >= limit) {
            return Ok(snapshots);
        }
    }
}
