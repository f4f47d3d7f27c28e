//! A snapshot's line: counts as short lists, because most of them are zero.

use super::super::{CgroupFacts, HostSample, Snapshot};
use netwhy_abi::{
    BUCKETS, CgroupStats, DnsStats, DropKey, EdgeKey, EdgeStats, PeerClass, REPLY_BUCKETS, RunQueueStats,
};
use serde::{Deserialize, Serialize};
use std::{net::Ipv6Addr, time::Duration};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) at_ns: u64,
    pub(super) unix_ms: u64,
    pub(super) hz: Option<u32>,
    pub(super) edges: Vec<(u64, Ipv6Addr, StoredEdge)>,
    pub(super) overflow: Vec<(u64, u32, StoredEdge)>,
    pub(super) cgroups: Vec<(u64, StoredCgroup)>,
    pub(super) drops: Vec<(u64, u32, u64)>,
    /// By counter; older recordings know fewer.
    pub(super) counters: Vec<u64>,
    pub(super) groups: Vec<CgroupFacts>,
    pub(super) gone_edges: Vec<(u64, Ipv6Addr)>,
    pub(super) gone_overflow: Vec<(u64, u32)>,
    pub(super) gone_cgroups: Vec<u64>,
    pub(super) gone_drops: Vec<(u64, u32)>,
    /// Not in the first recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<HostSample>,
    /// Not in the first recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) dns: Vec<(u64, Ipv6Addr, StoredDns)>,
    /// Not in the first recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone_dns: Vec<(u64, Ipv6Addr)>,
    /// Not in the first recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) run_queue: Vec<(u64, StoredWaits)>,
    /// Not in the first recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone_run_queue: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredWaits {
    buckets: Vec<(u8, u32)>,
    sum_ns: u64,
}

impl From<&RunQueueStats> for StoredWaits {
    fn from(row: &RunQueueStats) -> Self {
        Self { buckets: sparse(&row.buckets), sum_ns: row.sum_ns }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredDns {
    durations: Vec<(u8, u32)>,
    sum_us: u64,
    answered: u64,
    unanswered: u64,
}

/// [`EdgeStats`] with its empty buckets left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredEdge {
    rtt: Vec<(u8, u32)>,
    rtt_sum_us: u64,
    min_slots: [u64; 4],
    /// data_segs_out, segs_out, bytes_acked, bytes_received.
    flow: [u64; 4],
    retransmits: [u64; 7],
    episodes: u64,
    connects: [u64; 2],
    /// By reason; older recordings know fewer reasons.
    failures: Vec<u64>,
    /// Sent, received.
    resets: [u64; 2],
    /// Busy, receiver-limited, send-buffer-limited.
    jiffies: [u64; 3],
    zero_window: u64,
    /// `full_size_timeouts`, `unread_full`; not in older recordings.
    #[serde(default, skip_serializing_if = "is_zero")]
    stuck: [u64; 2],
    replies: [u32; REPLY_BUCKETS],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredCgroup {
    connects: [Vec<(u8, u32)>; 2],
    sum_us: [u64; 2],
    accept_drops: u64,
    accept_full: u64,
}

fn is_zero(counts: &[u64; 2]) -> bool {
    *counts == [0; 2]
}

fn sparse(buckets: &[u32; BUCKETS]) -> Vec<(u8, u32)> {
    buckets.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| (i as u8, *n)).collect()
}

fn dense(buckets: &[(u8, u32)]) -> Result<[u32; BUCKETS], String> {
    let mut out = [0; BUCKETS];
    for (bucket, n) in buckets {
        *out.get_mut(usize::from(*bucket)).ok_or_else(|| format!("there is no bucket {bucket}"))? = *n;
    }
    Ok(out)
}

/// What the recording does not know of is zero.
fn counts<const N: usize>(stored: &[u64], what: &str) -> Result<[u64; N], String> {
    let mut out = [0; N];
    let known = out.get_mut(..stored.len()).ok_or_else(|| format!("there are no {} {what}", stored.len()))?;
    known.copy_from_slice(stored);
    Ok(out)
}

impl From<&EdgeStats> for StoredEdge {
    fn from(row: &EdgeStats) -> Self {
        Self {
            rtt: sparse(&row.rtt_buckets),
            rtt_sum_us: row.rtt_sum_us,
            min_slots: row.min_slots,
            flow: [row.data_segs_out, row.segs_out, row.bytes_acked, row.bytes_received],
            retransmits: row.retransmits,
            episodes: row.loss_episodes,
            connects: row.connects,
            failures: row.connect_failures.to_vec(),
            resets: [row.resets_sent, row.resets_received],
            jiffies: [row.busy_jiffies, row.rwnd_jiffies, row.sndbuf_jiffies],
            zero_window: row.zero_window,
            stuck: [row.full_size_timeouts, row.unread_full],
            replies: row.reply_buckets,
        }
    }
}

impl TryFrom<&StoredEdge> for EdgeStats {
    type Error = String;

    fn try_from(row: &StoredEdge) -> Result<Self, String> {
        let [data_segs_out, segs_out, bytes_acked, bytes_received] = row.flow;
        let [busy_jiffies, rwnd_jiffies, sndbuf_jiffies] = row.jiffies;
        let [resets_sent, resets_received] = row.resets;
        let [full_size_timeouts, unread_full] = row.stuck;
        Ok(Self {
            rtt_buckets: dense(&row.rtt)?,
            rtt_sum_us: row.rtt_sum_us,
            min_slots: row.min_slots,
            data_segs_out,
            segs_out,
            bytes_acked,
            bytes_received,
            retransmits: row.retransmits,
            loss_episodes: row.episodes,
            connects: row.connects,
            connect_failures: counts(&row.failures, "reasons")?,
            resets_sent,
            resets_received,
            busy_jiffies,
            rwnd_jiffies,
            sndbuf_jiffies,
            zero_window: row.zero_window,
            full_size_timeouts,
            unread_full,
            reply_buckets: row.replies,
        })
    }
}

impl From<&Snapshot> for Stored {
    fn from(s: &Snapshot) -> Self {
        Self {
            at_ns: s.at.as_nanos() as u64,
            unix_ms: s.unix_ms,
            hz: s.hz,
            edges: s.edges.iter().map(|(k, v)| (k.cgroup, Ipv6Addr::from(k.addr), v.into())).collect(),
            overflow: s.overflow.iter().map(|((id, class), v)| (*id, *class as u32, v.into())).collect(),
            cgroups: s.cgroups.iter().map(|(id, v)| (*id, v.into())).collect(),
            drops: s.drops.iter().map(|(k, n)| (k.cgroup, k.reason, *n)).collect(),
            counters: s.counters.to_vec(),
            groups: s.groups.clone(),
            gone_edges: s.gone_edges.iter().map(|k| (k.cgroup, Ipv6Addr::from(k.addr))).collect(),
            gone_overflow: s.gone_overflow.iter().map(|(id, class)| (*id, *class as u32)).collect(),
            gone_cgroups: s.gone_cgroups.clone(),
            gone_drops: s.gone_drops.iter().map(|k| (k.cgroup, k.reason)).collect(),
            host: s.host.clone(),
            dns: s.dns.iter().map(|(k, v)| (k.cgroup, Ipv6Addr::from(k.addr), v.into())).collect(),
            gone_dns: s.gone_dns.iter().map(|k| (k.cgroup, Ipv6Addr::from(k.addr))).collect(),
            run_queue: s.run_queue.iter().map(|(id, row)| (*id, row.into())).collect(),
            gone_run_queue: s.gone_run_queue.clone(),
        }
    }
}

impl From<&DnsStats> for StoredDns {
    fn from(row: &DnsStats) -> Self {
        let DnsStats { buckets, sum_us, answered, unanswered } = *row;
        Self { durations: sparse(&buckets), sum_us, answered, unanswered }
    }
}

impl TryFrom<&StoredDns> for DnsStats {
    type Error = String;

    fn try_from(row: &StoredDns) -> Result<Self, String> {
        let StoredDns { durations, sum_us, answered, unanswered } = row;
        Ok(Self { buckets: dense(durations)?, sum_us: *sum_us, answered: *answered, unanswered: *unanswered })
    }
}

impl From<&CgroupStats> for StoredCgroup {
    fn from(row: &CgroupStats) -> Self {
        Self {
            connects: [sparse(&row.connect_buckets[0]), sparse(&row.connect_buckets[1])],
            sum_us: row.connect_sum_us,
            accept_drops: row.accept_drops,
            accept_full: row.accept_full,
        }
    }
}

impl TryFrom<Stored> for Snapshot {
    type Error = String;

    fn try_from(s: Stored) -> Result<Self, String> {
        let edge = |(cgroup, addr, row): &(u64, Ipv6Addr, StoredEdge)| {
            Ok::<_, String>((EdgeKey { cgroup: *cgroup, addr: addr.octets() }, row.try_into()?))
        };
        let cgroup = |(id, row): &(u64, StoredCgroup)| {
            let row = CgroupStats {
                connect_buckets: [dense(&row.connects[0])?, dense(&row.connects[1])?],
                connect_sum_us: row.sum_us,
                accept_drops: row.accept_drops,
                accept_full: row.accept_full,
            };
            Ok::<_, String>((*id, row))
        };
        Ok(Self {
            at: Duration::from_nanos(s.at_ns),
            unix_ms: s.unix_ms,
            hz: s.hz,
            edges: s.edges.iter().map(edge).collect::<Result<_, _>>()?,
            overflow: (s.overflow.iter())
                .map(|(id, class, row)| Ok::<_, String>(((*id, PeerClass::from_index(*class)), row.try_into()?)))
                .collect::<Result<_, _>>()?,
            cgroups: s.cgroups.iter().map(cgroup).collect::<Result<_, _>>()?,
            drops: s
                .drops
                .iter()
                .map(|(cgroup, reason, n)| (DropKey { cgroup: *cgroup, reason: *reason, pad: 0 }, *n))
                .collect(),
            counters: counts(&s.counters, "counters")?,
            groups: s.groups,
            gone_edges: s.gone_edges.iter().map(|(id, addr)| EdgeKey { cgroup: *id, addr: addr.octets() }).collect(),
            gone_overflow: s.gone_overflow.iter().map(|(id, class)| (*id, PeerClass::from_index(*class))).collect(),
            gone_cgroups: s.gone_cgroups,
            gone_drops: s
                .gone_drops
                .iter()
                .map(|(cgroup, reason)| DropKey { cgroup: *cgroup, reason: *reason, pad: 0 })
                .collect(),
            host: s.host,
            dns: (s.dns.iter())
                .map(|(id, addr, row)| Ok::<_, String>((EdgeKey { cgroup: *id, addr: addr.octets() }, row.try_into()?)))
                .collect::<Result<_, _>>()?,
            gone_dns: s.gone_dns.iter().map(|(id, addr)| EdgeKey { cgroup: *id, addr: addr.octets() }).collect(),
            run_queue: (s.run_queue.iter())
                .map(|(id, StoredWaits { buckets, sum_ns })| {
                    Ok::<_, String>((*id, RunQueueStats { buckets: dense(buckets)?, sum_ns: *sum_ns }))
                })
                .collect::<Result<_, _>>()?,
            gone_run_queue: s.gone_run_queue,
        })
    }
}
