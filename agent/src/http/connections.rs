//! The open connections of a listener, and which one closes when there are too many.

use super::Limits;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::AbortHandle;

/// A client that has taken nothing of its response for this long may be cut for another response.
const STALLED: Duration = Duration::from_secs(1);

/// When a connection last transferred data.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Time of the last transfer after `opened`, ms.
    last_ms: AtomicU64,
    /// The client has not taken the whole response yet.
    is_blocked: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { opened: Instant::now(), last_ms: AtomicU64::new(0), is_blocked: AtomicBool::new(false) }
    }

    /// Data were read or written.
    pub(super) fn transferred(&self) {
        let after = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(after, Ordering::Relaxed);
    }

    /// The socket takes no more data, or it took all.
    pub(super) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.opened + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    fn is_stalled(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed) && self.last().elapsed() >= STALLED
    }
}

#[derive(Debug)]
struct Open {
    peer: IpAddr,
    activity: Arc<Activity>,
    /// `None`: the task is not started yet.
    task: Option<AbortHandle>,
}

/// The open connections.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
}

/// A connection's place. Dropping it frees the place.
pub(super) struct Place {
    connections: Arc<Connections>,
    id: u64,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default(), next: AtomicU64::new(0) })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place. A full listener first closes the longest idle connection of the peer that has most.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr, activity: Arc<Activity>) -> Place {
        let peer = peer.to_canonical();
        let mut open = self.open();
        if count(&open, peer) >= self.limits.per_peer {
            close_longest_idle(&mut open, peer);
        }
        if open.len() >= self.limits.connections
            && let Some(busiest) = busiest_peer(&open)
        {
            close_longest_idle(&mut open, busiest);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(id, Open { peer, activity, task: None });
        Place { connections: Arc::clone(self), id }
    }

    /// Remembers the task of a connection, unless it has ended.
    pub(super) fn started(&self, id: u64, task: AbortHandle) {
        if let Some(open) = self.open().get_mut(&id) {
            open.task = Some(task);
        }
    }

    /// Closes the connection whose client has taken nothing for longest. False: no client is stalled.
    pub(super) fn close_stalled(&self) -> bool {
        let mut open = self.open();
        let stalled = open.iter().filter(|(_, open)| open.activity.is_stalled());
        let longest = stalled.min_by_key(|(_, open)| open.activity.last()).map(|(id, _)| *id);
        longest.is_some_and(|id| close(&mut open, id))
    }
}

impl Place {
    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.id);
    }
}

fn count(open: &HashMap<u64, Open>, peer: IpAddr) -> usize {
    open.values().filter(|open| open.peer == peer).count()
}

/// The peer with most connections. Peers with few then keep theirs, whatever another peer does.
fn busiest_peer(open: &HashMap<u64, Open>) -> Option<IpAddr> {
    let mut counts = HashMap::new();
    for open in open.values() {
        *counts.entry(open.peer).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer)
}

fn close_longest_idle(open: &mut HashMap<u64, Open>, peer: IpAddr) {
    let of_peer = open.iter().filter(|(_, open)| open.peer == peer);
    if let Some(id) = of_peer.min_by_key(|(id, open)| (open.activity.last(), **id)).map(|(id, _)| *id) {
        close(open, id);
    }
}

fn close(open: &mut HashMap<u64, Open>, id: u64) -> bool {
    let closed = open.remove(&id);
    if let Some(Open { task: Some(task), .. }) = &closed {
        task.abort();
    }
    closed.is_some()
}
