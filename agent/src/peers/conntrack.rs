//! The Pod behind a Service's address, from the kernel's connection tracking table, which lists translations (DNAT).
//!
//! An edge has no port. When a client uses several backends of one Service, its edge has no single Pod and stays a
//! Service address. Source: `nf_conntrack` in procfs (`net/netfilter/nf_conntrack_standalone.c`), where the kernel has
//! `CONFIG_NF_CONNTRACK_PROCFS`. Only root may open it. An open file stays readable.

use std::{
    collections::HashMap,
    fs::File,
    future::Future,
    io::{self, BufRead, BufReader, Read as _, Seek as _},
    net::{IpAddr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Shortest time between two reads.
const MIN_INTERVAL: Duration = Duration::from_secs(30);
/// Longest time between two reads.
const MAX_INTERVAL: Duration = Duration::from_secs(300);
/// Share of one core that reads may take. 23,000 entries take 60 ms in the kernel, so they are read every 30 s.
const CPU_SHARE: f64 = 0.002;
/// Longest text that one read takes, bytes: about 45,000 entries.
const MAX_BYTES: u64 = 8 << 20;
/// Most pairs of client and Service that are kept.
const MAX_PAIRS: usize = 16_384;

/// Translations: (client, destination of its connection) → backend. IPv4 addresses are IPv4-mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translations {
    pairs: HashMap<(Ipv6Addr, Ipv6Addr), Option<Ipv6Addr>>,
}

impl Translations {
    /// Reads a table's TCP entries. It skips unknown lines: the format has optional fields.
    ///
    /// # Errors
    /// When `text` can't be read.
    pub fn read(text: impl BufRead) -> io::Result<Self> {
        let mut this = Self::default();
        for line in text.lines() {
            if let Some((client, service, backend)) = translation(&line?)
                && (this.pairs.len() < MAX_PAIRS || this.pairs.contains_key(&(client, service)))
            {
                let known = this.pairs.entry((client, service)).or_insert(Some(backend));
                *known = known.filter(|known| *known == backend);
            }
        }
        Ok(this)
    }

    /// The only backend of a client's connections to an address. `None`: not translated, or several.
    pub fn backend(&self, client: Ipv6Addr, service: Ipv6Addr) -> Option<Ipv6Addr> {
        self.pairs.get(&(client, service)).copied().flatten()
    }

    /// All of them, in order: client, destination, backend.
    pub fn all(&self) -> Vec<(Ipv6Addr, Ipv6Addr, Option<Ipv6Addr>)> {
        let mut all: Vec<_> = self.pairs.iter().map(|((client, to), backend)| (*client, *to, *backend)).collect();
        all.sort_unstable();
        all
    }

    /// Clients and destinations of all translated connections.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Ipv6Addr, Ipv6Addr)> {
        self.pairs.keys().copied()
    }

    /// Whether a client's connections to an address are translated at all.
    pub fn is_translated(&self, client: Ipv6Addr, service: Ipv6Addr) -> bool {
        self.pairs.contains_key(&(client, service))
    }
}

impl FromIterator<(Ipv6Addr, Ipv6Addr, Option<Ipv6Addr>)> for Translations {
    fn from_iter<I: IntoIterator<Item = (Ipv6Addr, Ipv6Addr, Option<Ipv6Addr>)>>(all: I) -> Self {
        let pairs = all.into_iter().map(|(client, to, backend)| ((client, to), backend));
        Self { pairs: pairs.take(MAX_PAIRS).collect() }
    }
}

/// Client, destination and backend of a translated connection. `None`: the line is none.
fn translation(line: &str) -> Option<(Ipv6Addr, Ipv6Addr, Ipv6Addr)> {
    let mut words = line.split_ascii_whitespace();
    if words.nth(2)? != "tcp" {
        return None;
    }
    let mut value = |name: &str| {
        let text = words.find_map(|word| word.strip_prefix(name))?;
        Some(super::mapped(text.parse::<IpAddr>().ok()?))
    };
    // The original direction comes first, then the reply's.
    let (client, service, backend) = (value("src=")?, value("dst=")?, value("src=")?);
    (service != backend).then_some((client, service, backend))
}

/// Opens the table of process 1's network namespace, which is the Node's; else of this process's. `None`: there is none,
/// or the process is not root. Then peers behind Services keep the Service's address.
pub fn open_conntrack(procfs: &Path) -> Option<File> {
    let table = File::open(procfs.join("1/net/nf_conntrack")).or_else(|_| File::open(procfs.join("net/nf_conntrack")));
    let missing = |error: &io::Error| {
        tracing::info!(
            "can't open the connection tracking table: {error}: peers behind Services keep the Service's address; \
             start as root with hostPID on a kernel with CONFIG_NF_CONNTRACK_PROCFS, after its module nf_conntrack"
        );
    };
    table.inspect_err(missing).ok()
}

/// Reads the Node's open table every 30 s until `stopped`, and less often when it is long. Ends the reads when the
/// table can't be read.
///
/// # Errors
/// None: without the table, peers behind Services keep the Service's address.
pub async fn watch_conntrack(
    table: File,
    published: watch::Sender<Arc<Translations>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut stopped = std::pin::pin!(stopped);
    let mut pause = Duration::ZERO;
    let table = Arc::new(table);
    loop {
        tokio::select! {
            () = &mut stopped => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        let table = Arc::clone(&table);
        let began = Instant::now();
        let result = tokio::task::spawn_blocking(move || read(&table)).await?;
        let took = began.elapsed();
        pause = interval_after(took);
        match result {
            Ok(now) => {
                tracing::debug!(pairs = now.pairs.len(), ?took, next = ?pause, "read the connection tracking table");
                published.send_if_modified(|before| {
                    let changed = **before != now;
                    if changed {
                        *before = Arc::new(now);
                    }
                    changed
                });
            }
            Err(error) => {
                tracing::info!(
                    "can't read the connection tracking table: {error}: peers behind Services keep the Service's \
                     address"
                );
                (&mut stopped).await;
                return Ok(());
            }
        }
    }
}

/// Time from the end of a read that took this long to the next read.
fn interval_after(took: Duration) -> Duration {
    took.div_f64(CPU_SHARE).clamp(MIN_INTERVAL, MAX_INTERVAL)
}

/// Reads the open table from its beginning.
fn read(mut file: &File) -> io::Result<Translations> {
    file.rewind()?;
    Translations::read(BufReader::new(file.take(MAX_BYTES)))
}

#[cfg(test)]
mod tests;
