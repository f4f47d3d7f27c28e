//! Which Pod is behind a Service's address: the kernel's connection tracking table knows what it translated (DNAT).
//!
//! An edge has no port, so that a client that uses several backends of one Service has no one Pod behind its edge: that
//! stays a Service address. Source: `nf_conntrack` in procfs (`net/netfilter/nf_conntrack_standalone.c`), readable by
//! root where the kernel has `CONFIG_NF_CONNTRACK_PROCFS`.

use std::{
    collections::HashMap,
    fs::File,
    future::Future,
    io::{self, BufRead, BufReader, Read as _},
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Shortest distance between two readings.
const EVERY: Duration = Duration::from_secs(30);
/// Longest.
const RAREST: Duration = Duration::from_secs(300);
/// Share of one core that readings may take: 23,000 entries cost 60 ms in the kernel, and are read every 30 s.
const SHARE: f64 = 0.002;
/// A reading ends after so much text, about 45,000 entries.
const MOST: u64 = 8 << 20;
/// Pairs of client and Service kept at most.
const PAIRS: usize = 16_384;

/// What was translated: (client, address that it connected to) → backend. All IPv4 as IPv4-mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translations {
    pairs: HashMap<(Ipv6Addr, Ipv6Addr), Option<Ipv6Addr>>,
}

impl Translations {
    /// Reads a table's TCP entries. What is not understood is skipped: the format has optional parts.
    ///
    /// # Errors
    /// When `text` can't be read.
    pub fn read(text: impl BufRead) -> io::Result<Self> {
        let mut this = Self::default();
        for line in text.lines() {
            if let Some((client, service, backend)) = translation(&line?)
                && (this.pairs.len() < PAIRS || this.pairs.contains_key(&(client, service)))
            {
                let known = this.pairs.entry((client, service)).or_insert(Some(backend));
                *known = known.filter(|known| *known == backend);
            }
        }
        Ok(this)
    }

    /// The one backend behind what a client connected to. `None`: not translated, or several.
    pub fn backend(&self, client: Ipv6Addr, service: Ipv6Addr) -> Option<Ipv6Addr> {
        self.pairs.get(&(client, service)).copied().flatten()
    }

    /// Whether a client's connections to an address are translated at all.
    pub fn is_translated(&self, client: Ipv6Addr, service: Ipv6Addr) -> bool {
        self.pairs.contains_key(&(client, service))
    }
}

/// Client, address that it connected to, and who answers, where the last two differ.
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

/// Reads the Node's table every 30 s until `stopped`, as long as it may be read; more rarely where it is long.
///
/// # Errors
/// None: without the table, Services are shown as such.
pub async fn watch_conntrack(
    procfs: PathBuf,
    published: watch::Sender<Arc<Translations>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut stopped = std::pin::pin!(stopped);
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = &mut stopped => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        let procfs = procfs.clone();
        let began = Instant::now();
        let result = tokio::task::spawn_blocking(move || read(&procfs)).await?;
        let took = began.elapsed();
        pause = distance(took);
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
                    "the connection tracking table can't be read, so Services are shown as such: {error} (needs root, \
                     hostPID, and a kernel with CONFIG_NF_CONNTRACK_PROCFS)"
                );
                (&mut stopped).await;
                return Ok(());
            }
        }
    }
}

/// From the end of one reading, which took so long, to the next.
fn distance(took: Duration) -> Duration {
    took.div_f64(SHARE).clamp(EVERY, RAREST)
}

/// The table of the Node's own network namespace, which process 1 lives in; else of this process's.
fn read(procfs: &Path) -> io::Result<Translations> {
    let file =
        File::open(procfs.join("1/net/nf_conntrack")).or_else(|_| File::open(procfs.join("net/nf_conntrack")))?;
    Translations::read(BufReader::new(file.take(MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.244.0.5 dst=10.96.0.10 sport=40000 dport=80 src=10.244.1.9 dst=10.244.0.5 sport=8080 dport=40000 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 100 TIME_WAIT src=10.244.0.5 dst=10.96.0.10 sport=40001 dport=80 src=10.244.1.9 dst=10.244.0.5 sport=8080 dport=40001 [ASSURED] mark=0 use=2
ipv4     2 tcp      6 100 ESTABLISHED src=10.244.0.5 dst=10.96.0.20 sport=1 dport=80 src=10.244.1.9 dst=10.244.0.5 sport=80 dport=1 mark=0 use=2
ipv4     2 tcp      6 100 ESTABLISHED src=10.244.0.5 dst=10.96.0.20 sport=2 dport=80 src=10.244.1.10 dst=10.244.0.5 sport=80 dport=2 mark=0 use=2
ipv4     2 tcp      6 100 ESTABLISHED src=10.244.0.5 dst=10.244.1.7 sport=2 dport=80 src=10.244.1.7 dst=10.244.0.5 sport=80 dport=2 mark=0 use=2
ipv4     2 udp      17 29 src=10.244.0.5 dst=10.96.0.53 sport=2 dport=53 src=10.244.1.10 dst=10.244.0.5 sport=53 dport=2 mark=0 use=2
ipv6     10 tcp      6 100 SYN_SENT src=fd00:0000:0000:0000:0000:0000:0000:0005 dst=fd00:0000:0000:0000:0000:0000:0001:0001 sport=2 dport=80 [UNREPLIED] src=fd00:0000:0000:0000:0000:0000:0000:0009 dst=fd00:0000:0000:0000:0000:0000:0000:0005 sport=80 dport=2 mark=0 use=2
no entry at all
";

    fn at(text: &str) -> Ipv6Addr {
        super::super::mapped(text.parse().unwrap())
    }

    #[test]
    fn one_backend_is_found_and_several_are_none() {
        let known = Translations::read(TABLE.as_bytes()).unwrap();
        let client = at("10.244.0.5");
        assert_eq!(known.backend(client, at("10.96.0.10")), Some(at("10.244.1.9")));
        assert_eq!(known.backend(client, at("10.96.0.20")), None);
        assert!(known.is_translated(client, at("10.96.0.20")));
        assert!(!known.is_translated(client, at("10.244.1.7")), "what went where it was sent is no translation");
        assert!(!known.is_translated(client, at("10.96.0.53")), "TCP only");
        assert_eq!(known.backend(at("fd00::5"), at("fd00::1:1")), Some(at("fd00::9")));
        assert_eq!(known.backend(at("10.244.0.6"), at("10.96.0.10")), None, "another client's");
    }

    #[test]
    fn a_long_table_is_read_rarely() {
        let ms = Duration::from_millis;
        assert_eq!(distance(ms(1)), EVERY);
        assert_eq!(distance(ms(60)), EVERY);
        assert_eq!(distance(ms(200)), ms(100_000));
        assert_eq!(distance(ms(5_000)), RAREST);
    }

    #[test]
    fn the_machines_own_table_is_read_where_it_may_be() {
        match read(Path::new("/proc")) {
            Ok(known) => assert!(known.pairs.len() <= PAIRS),
            Err(error) => {
                assert!(matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied), "{error}")
            }
        }
    }
}
