//! Rights of every thread of a process, as procfs shows them (proc_pid_status(5)).

use anyhow::Context as _;
use rustix::{io::Errno, thread::CapabilitySet};
use std::{collections::BTreeSet, fs, path::Path};

/// Names of rights that are no capabilities.
pub(super) const USER_0: &str = "user 0";
pub(super) const GROUP_0: &str = "group 0";
pub(super) const BOUNDING_SET: &str = "bounding set";
const NEW_PRIVILEGES: &str = "new privileges";

/// Rights that at least one thread has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// Real, effective, saved and file-system ids.
    pub(super) users: BTreeSet<u32>,
    /// The same, and supplementary ones.
    pub(super) groups: BTreeSet<u32>,
    /// Capabilities in any set but the bounding set.
    pub(super) capabilities: u64,
    pub(super) bounding: u64,
    /// Whether a started program can gain rights.
    pub(super) new_privileges: bool,
}

impl Rights {
    /// Rights of all threads below a directory such as `/proc/self/task`.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub(super) fn of_threads(tasks: &Path) -> anyhow::Result<Self> {
        let failed = || format!("failed to read the rights of threads from {}", tasks.display());
        let mut all = Self::default();
        for task in fs::read_dir(tasks).with_context(failed)? {
            let path = task.with_context(failed)?.path().join("status");
            match fs::read_to_string(&path) {
                Ok(status) => all.add(&status).with_context(|| format!("failed to parse {}", path.display()))?,
                // It ended meanwhile.
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::SRCH)) => {}
                Err(error) => return Err(error).with_context(failed),
            }
        }
        Ok(all)
    }

    /// Adds the rights in the text of one `status`.
    fn add(&mut self, status: &str) -> anyhow::Result<()> {
        let field = |name: &str| {
            let mut lines = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            lines.next().map(str::trim).with_context(|| format!("it has no {name}"))
        };
        let ids = |name: &str| -> anyhow::Result<Vec<u32>> {
            field(name)?.split_whitespace().map(|id| id.parse().with_context(|| format!("{name}: {id:?}"))).collect()
        };
        let set = |name: &str| -> anyhow::Result<u64> {
            let hex = field(name)?;
            u64::from_str_radix(hex, 16).with_context(|| format!("{name}: {hex:?}"))
        };
        self.users.extend(ids("Uid")?);
        self.groups.extend(ids("Gid")?.into_iter().chain(ids("Groups")?));
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            self.capabilities |= set(name)?;
        }
        self.bounding |= set("CapBnd")?;
        self.new_privileges |= field("NoNewPrivs")? != "1";
        Ok(())
    }

    /// Their names: those of capabilities without the prefix `CAP_`, and others such as `user 0`. Empty: an ordinary
    /// process that can't get a right.
    pub(super) fn names(&self) -> Vec<String> {
        let others = [
            (self.users.contains(&0), USER_0),
            (self.groups.contains(&0), GROUP_0),
            (self.bounding != 0, BOUNDING_SET),
            (self.new_privileges, NEW_PRIVILEGES),
        ];
        let others = others.into_iter().filter_map(|(has, name)| has.then_some(name));
        let set = CapabilitySet::from_bits_retain(self.capabilities);
        let known = set.iter_names().fold(0, |known, (_, one)| known | one.bits());
        let unknown = self.capabilities & !known;
        let unknown = (0..u64::BITS).filter(|bit| unknown >> bit & 1 == 1).map(|bit| format!("capability {bit}"));
        others.chain(set.iter_names().map(|(name, _)| name)).map(str::to_owned).chain(unknown).collect()
    }
}
