//! Children that end with the process that started them, also when that is killed.
//!
//! The kernel has a signal for this (`PR_SET_PDEATHSIG`), which `netwhy-traffic exec` asks for. Two things take it away:
//! it comes when the *thread* ends that started the child, and a child that changes its user, as the agent does, loses it
//! (prctl(2)). So each child gets a keeper: `netwhy-traffic keep` reads from a pipe whose other end only the parent has.
//! The pipe ends with the parent, whatever ends that, and the keeper then kills the child and its descendants.

use anyhow::{Context as _, Result, ensure};
use std::{
    io::{BufRead as _, BufReader},
    ops::{Deref, DerefMut},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

/// A keeper; kills what it keeps when this is dropped, or when the process that has it ends.
#[derive(Debug)]
pub struct Keeper {
    keeper: Child,
    pipe: Option<ChildStdin>,
}

impl Keeper {
    /// Keeps a child that nobody has waited for yet. `traffic`: the program `netwhy-traffic`.
    ///
    /// # Errors
    /// When the keeper can't be started.
    pub fn of(traffic: &Path, child: &Child) -> Result<Self> {
        let mut keeper = Command::new(traffic)
            .args(["keep", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A terminal's Ctrl-C is the parent's business.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start `{} keep`", traffic.display()))?;
        let (pipe, output) = (keeper.stdin.take(), keeper.stdout.take());
        let this = Self { keeper, pipe };
        // Until it says so it doesn't have the process, and after a wait the id may be another's.
        let mut line = String::new();
        BufReader::new(output.context("the keeper has no output")?).read_line(&mut line).context("hear the keeper")?;
        ensure!(!line.is_empty(), "`netwhy-traffic keep` can't keep process {}", child.id());
        Ok(this)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Closes it.
        drop(self.pipe.take());
        let _ = self.keeper.wait();
    }
}

/// A child with a keeper; killed when dropped, with its descendants.
#[derive(Debug)]
pub struct Kept {
    child: Child,
    keeper: Option<Keeper>,
}

impl Kept {
    /// Keeps a child that was just started; without a keeper it is killed.
    ///
    /// # Errors
    /// When the keeper can't be started.
    pub fn new(traffic: &Path, mut child: Child) -> Result<Self> {
        match Keeper::of(traffic, &child) {
            Ok(keeper) => Ok(Self { child, keeper: Some(keeper) }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }
}

impl Deref for Kept {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The keeper kills all of them; it finds the descendants of a living child only.
        drop(self.keeper.take());
        // Should the keeper itself have been killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
