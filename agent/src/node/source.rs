//! A source of one or several groups of signals that are read together, and the state of each group.

use crate::sample::{Group, HostSample, State};
use std::{path::PathBuf, time::Duration};

/// Locations of the Node's signals.
#[derive(Clone, Debug)]
pub struct HostPaths {
    /// The host's procfs.
    pub procfs: PathBuf,
    /// The host's sysfs.
    pub sysfs: PathBuf,
    /// A process in the Node's network namespace: its number, or `self`.
    pub process: String,
}

/// Signals that are read together, and can hang together.
pub(super) struct Source {
    pub(super) groups: &'static [Group],
    /// The files and calls, for people.
    pub(super) place: String,
    pub(super) read: Box<dyn FnMut(Duration) -> HostSample + Send>,
}

impl Source {
    /// `read` takes the monotonic time.
    pub(super) fn new(
        groups: &'static [Group],
        place: String,
        read: impl FnMut(Duration) -> HostSample + Send + 'static,
    ) -> Self {
        Self { groups, place, read: Box::new(read) }
    }

    /// A source of one group.
    pub(super) fn of_group(
        group: Group,
        place: String,
        mut read: impl FnMut(&mut HostSample, Duration) -> Result<(), State> + Send + 'static,
    ) -> Self {
        let groups = Group::ALL.iter().position(|one| *one == group).map_or(&[][..], |i| &GROUPS[i..=i]);
        Self::new(groups, place, move |now| {
            let mut out = HostSample::default();
            read_group(&mut out, group, |out| read(out, now));
            out
        })
    }
}

static GROUPS: [Group; Group::ALL.len()] = Group::ALL;

/// Reads one group and records its state.
pub(super) fn read_group(out: &mut HostSample, group: Group, read: impl FnOnce(&mut HostSample) -> Result<(), State>) {
    let state = read(out).map_or_else(|state| state, |()| State::Ok);
    out.states.insert(group, state);
}
