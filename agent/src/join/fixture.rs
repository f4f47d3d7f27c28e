//! A join and snapshots for the tests of several files.

use super::{Join, JoinLimits};
use crate::{
    sample::{CgroupFacts, Snapshot},
    state::{SubjectId, SubjectKind},
};
use netwhy_abi::{EdgeKey, EdgeStats};
use std::{net::Ipv4Addr, time::Duration};

/// A join of few places, which knows a container by its path.
pub(super) fn join(peer_nodes: usize) -> Join {
    let name = |path: &str| SubjectId {
        kind: SubjectKind::Container,
        namespace: "/".into(),
        name: path.trim_start_matches('/').into(),
        workload: String::new(),
    };
    let limits = JoinLimits { edges: 8, gone: Duration::from_secs(90), gone_subjects: 3, peer_nodes };
    Join::new("self", Duration::from_secs(10), limits, name)
}

/// A snapshot with these sums of segments by cgroup and peer. The cgroups are alive or not.
pub(super) fn snapshot(at: u64, rows: &[(u64, u8, u64)], alive: bool) -> Snapshot {
    let mut snapshot = Snapshot { at: Duration::from_secs(at), ..Snapshot::default() };
    for (cgroup, peer, segments) in rows {
        let key = EdgeKey::new(*cgroup, Ipv4Addr::new(10, 0, 0, *peer).to_ipv6_mapped().octets());
        snapshot.tables.edges.rows.push((key, EdgeStats { data_segs_out: *segments, ..EdgeStats::ZERO }));
        let path = Some(format!("/cgroup-{cgroup}"));
        snapshot.groups.push(CgroupFacts { id: *cgroup, path, alive, ..CgroupFacts::default() });
    }
    snapshot
}
