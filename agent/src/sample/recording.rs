//! Recordings: snapshots as JSON lines, so that a run can be replayed to the same hints and metrics.
//!
//! First line: a [`Header`]. Then one line a snapshot. Last line: `{"end": <number of snapshots>}`; a file without it
//! was cut off.

mod stored;

use super::{SampleSource, Signal, Snapshot};
use netwhy_abi::{CgroupStats, DnsStats, DropKey, EdgeKey, RunQueueStats};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead, Write},
    net::Ipv6Addr,
    sync::Arc,
};
use stored::Stored;

/// Version of the format; other versions are refused.
const FORMAT: u32 = 1;

/// What a replay needs to know besides the snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Format version.
    pub netwhy_recording: u32,
    /// Node that was recorded.
    pub node: String,
    /// Its kernel.
    pub kernel: String,
    /// Names of the kernel's drop reasons; index = number.
    pub drop_reasons: Vec<String>,
    /// Prefixes and classes in force: (address, leading bits in IPv6 form, class).
    pub prefixes: Vec<(Ipv6Addr, u8, u32)>,
    /// Nodes of those prefixes whose Node was known: (address, leading bits, name). Not in the first recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<(Ipv6Addr, u8, String)>,
}

/// Why a recording can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Reading or writing failed.
    #[error("recording {file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Not a recording, or one of another version.
    #[error("{file} is no netwhy recording of format {FORMAT} ({what}): make one with `netwhy-agent record FILE`")]
    Header {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A damaged line.
    #[error("recording {file}, line {line}: {what}: the file is damaged; record it again")]
    Line {
        /// The file.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The end is missing.
    #[error("recording {file} ends after {snapshots} snapshots without its end mark: it was cut off; record it again")]
    Truncated {
        /// The file.
        file: String,
        /// Whole snapshots in it.
        snapshots: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct End {
    end: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    End(End),
    Snapshot(Box<Stored>),
}

/// Writes a recording.
pub struct Recorder<W: Write> {
    out: W,
    file: String,
    snapshots: usize,
    /// Rows that did not change are left out of the next line.
    cgroups: std::collections::HashMap<u64, CgroupStats>,
    drops: std::collections::HashMap<DropKey, u64>,
    dns: std::collections::HashMap<EdgeKey, DnsStats>,
    run_queue: std::collections::HashMap<u64, RunQueueStats>,
    host: std::collections::HashMap<(Signal, Option<Arc<str>>), u64>,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording; `file` names it in errors.
    ///
    /// # Errors
    /// When writing fails.
    pub fn begin(out: W, file: &str, header: &Header) -> Result<Self, RecordingError> {
        let header = Header { netwhy_recording: FORMAT, ..header.clone() };
        let (cgroups, drops, dns, run_queue, host) = Default::default();
        let mut this = Self { out, file: file.to_owned(), snapshots: 0, cgroups, drops, dns, run_queue, host };
        this.line(&header)?;
        Ok(this)
    }

    fn line<T: Serialize>(&mut self, value: &T) -> Result<(), RecordingError> {
        let wrap = |error| RecordingError::Io { file: self.file.clone(), error };
        serde_json::to_writer(&mut self.out, value).map_err(std::io::Error::other).map_err(wrap)?;
        self.out.write_all(b"\n").map_err(wrap)
    }

    /// Adds a snapshot.
    ///
    /// # Errors
    /// When writing fails.
    pub fn push(&mut self, snapshot: &Snapshot) -> Result<(), RecordingError> {
        let mut stored = Stored::from(snapshot);
        stored.cgroups.clear();
        for (id, row) in &snapshot.cgroups {
            if self.cgroups.insert(*id, *row) != Some(*row) {
                stored.cgroups.push((*id, row.into()));
            }
        }
        stored.drops.retain(|(cgroup, reason, n)| {
            self.drops.insert(DropKey { cgroup: *cgroup, reason: *reason, pad: 0 }, *n) != Some(*n)
        });
        stored.dns.clear();
        for (key, row) in &snapshot.dns {
            if self.dns.insert(*key, *row) != Some(*row) {
                stored.dns.push((key.cgroup, Ipv6Addr::from(key.addr), row.into()));
            }
        }
        stored.run_queue.clear();
        for (id, row) in &snapshot.run_queue {
            if self.run_queue.insert(*id, *row) != Some(*row) {
                stored.run_queue.push((*id, row.into()));
            }
        }
        if let Some(host) = &mut stored.host {
            host.counters.retain(|(signal, on, n)| self.host.insert((*signal, on.clone()), *n) != Some(*n));
        }
        // A row that comes back after it was taken out may look as it did before.
        for id in &snapshot.gone_cgroups {
            self.cgroups.remove(id);
        }
        for key in &snapshot.gone_drops {
            self.drops.remove(key);
        }
        for key in &snapshot.gone_dns {
            self.dns.remove(key);
        }
        for id in &snapshot.gone_run_queue {
            self.run_queue.remove(id);
        }
        self.line(&stored)?;
        self.snapshots += 1;
        Ok(())
    }

    /// Writes the end mark and returns the writer.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> Result<W, RecordingError> {
        let end = End { end: self.snapshots };
        self.line(&end)?;
        self.out.flush().map_err(|error| RecordingError::Io { file: self.file.clone(), error })?;
        Ok(self.out)
    }
}

/// A whole recording, read and checked; a source of its snapshots.
#[derive(Debug)]
pub struct Recording {
    /// Its first line.
    pub header: Header,
    snapshots: std::vec::IntoIter<Snapshot>,
}

impl Recording {
    /// Reads a recording to its end; `file` names it in errors.
    ///
    /// # Errors
    /// [`RecordingError`]: unreadable, no recording, damaged, cut off.
    pub fn read(input: impl BufRead, file: &str) -> Result<Self, RecordingError> {
        let name = || file.to_owned();
        let mut lines = input.lines().enumerate();
        let bad_header = |what: String| RecordingError::Header { file: name(), what };
        let first = match lines.next() {
            None => return Err(bad_header("it is empty".to_owned())),
            Some((_, Err(error))) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(bad_header("it is no text".to_owned()));
            }
            Some((_, Err(error))) => return Err(RecordingError::Io { file: name(), error }),
            Some((_, Ok(text))) => text,
        };
        let header: Header = serde_json::from_str(&first).map_err(|_| bad_header("its first line".to_owned()))?;
        if header.netwhy_recording != FORMAT {
            return Err(bad_header(format!("it is format {}", header.netwhy_recording)));
        }
        let mut snapshots = Vec::new();
        let mut end = None;
        let mut broken: Option<RecordingError> = None;
        for (i, text) in lines {
            let bad = |what: String| RecordingError::Line { file: name(), line: i + 1, what };
            if let Some(error) = broken {
                // Damage followed by more lines; in the last line it means that the file was cut off.
                return Err(error);
            }
            let text = text.map_err(|error| bad(error.to_string()))?;
            if end.is_some() {
                return Err(bad("there is more after the end mark".to_owned()));
            }
            match serde_json::from_str(&text) {
                Ok(Line::End(mark)) => end = Some(mark.end),
                Ok(Line::Snapshot(stored)) => snapshots.push(Snapshot::try_from(*stored).map_err(bad)?),
                Err(_) => broken = Some(bad("it is no snapshot".to_owned())),
            }
        }
        if end.is_none() {
            return Err(RecordingError::Truncated { file: name(), snapshots: snapshots.len() });
        }
        if end != Some(snapshots.len()) {
            let what = format!("the end mark counts {} snapshots, there are {}", end.unwrap_or(0), snapshots.len());
            return Err(RecordingError::Line { file: name(), line: snapshots.len() + 2, what });
        }
        Ok(Self { header, snapshots: snapshots.into_iter() })
    }
}

impl SampleSource for Recording {
    fn sample(&mut self) -> anyhow::Result<Option<Snapshot>> {
        Ok(self.snapshots.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{CgroupFacts, HostSample};
    use netwhy_abi::Counter;
    use netwhy_abi::{EdgeStats, PeerClass};
    use std::time::Duration;

    fn snapshot() -> Snapshot {
        let mut row = EdgeStats { data_segs_out: 7, retransmits: [1, 2, 3, 4, 5, 6, 7], ..EdgeStats::ZERO };
        row.rtt_buckets[3] = 9;
        row.min_slots[1] = 5 << 32 | 77;
        let mut cgroup = CgroupStats::ZERO;
        cgroup.connect_buckets[1][4] = 2;
        let mut dns = DnsStats { answered: 3, unanswered: 1, sum_us: 77, ..DnsStats::ZERO };
        dns.buckets[7] = 3;
        Snapshot {
            at: Duration::from_nanos(123_456_789),
            unix_ms: 1_700_000_000_000,
            hz: Some(250),
            edges: vec![(EdgeKey { cgroup: 42, addr: [1; 16] }, row)],
            overflow: vec![((42, PeerClass::SameZone), row)],
            cgroups: vec![(42, cgroup)],
            drops: vec![(DropKey { cgroup: 42, reason: 3, pad: 0 }, 11)],
            dns: vec![(EdgeKey { cgroup: 42, addr: [3; 16] }, dns)],
            gone_dns: vec![EdgeKey { cgroup: 1, addr: [4; 16] }],
            run_queue: vec![(42, RunQueueStats { buckets: dns.buckets, sum_ns: 12_345 })],
            gone_run_queue: vec![1],
            counters: [1; Counter::ALL.len()],
            groups: vec![CgroupFacts { id: 42, path: Some("/a".into()), alive: true, ..CgroupFacts::default() }],
            gone_edges: vec![EdgeKey { cgroup: 1, addr: [2; 16] }],
            gone_overflow: vec![(1, PeerClass::InCluster)],
            gone_cgroups: vec![1],
            gone_drops: vec![DropKey { cgroup: 1, reason: 2, pad: 0 }],
            host: Some(HostSample {
                counters: vec![(Signal::NicRxDropped, Some("eth0".into()), 9)],
                ..HostSample::default()
            }),
        }
    }

    fn recorded() -> Vec<u8> {
        let mut recorder = Recorder::begin(Vec::new(), "test", &Header::default()).unwrap();
        recorder.push(&snapshot()).unwrap();
        recorder.push(&snapshot()).unwrap();
        recorder.finish().unwrap()
    }

    #[test]
    fn a_snapshot_comes_back_as_it_was() {
        let bytes = recorded();
        let mut recording = Recording::read(bytes.as_slice(), "test").unwrap();
        let first = recording.sample().unwrap().unwrap();
        assert_eq!(format!("{first:?}"), format!("{:?}", snapshot()));
        let second = recording.sample().unwrap().unwrap();
        assert!(second.cgroups.is_empty(), "unchanged rows are left out");
        assert_eq!(second.host, Some(HostSample::default()), "unchanged counters too");
        assert!(recording.sample().unwrap().is_none());
    }

    #[test]
    fn a_recording_cut_off_anywhere_is_refused() {
        let bytes = recorded();
        for cut in 0..bytes.len() - 1 {
            let error = Recording::read(&bytes[..cut], "test").expect_err("cut off");
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains("record"), "{cut}: {text}");
        }
        let whole_lines = bytes.split(|b| *b == b'\n').take(2).collect::<Vec<_>>().join(&b'\n');
        let error = Recording::read(whole_lines.as_slice(), "test").unwrap_err();
        assert!(matches!(error, RecordingError::Truncated { snapshots: 1, .. }), "{error}");
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["", "hello\n", "{\"netwhy_recording\":99}\n", "{}\n"] {
            assert!(matches!(Recording::read(text.as_bytes(), "x"), Err(RecordingError::Header { .. })), "{text:?}");
        }
    }
}
