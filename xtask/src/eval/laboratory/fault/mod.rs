//! Faults of the laboratory, and the expected hints. Every fault is injected for real.

mod control;
mod machine;
mod node;
mod path;
mod pod;

pub(super) use control::Control;
pub(super) use node::NodeFault;
pub(super) use path::{PathFault, Way};
pub(super) use pod::PodFault;

use super::{score::Expected, topology::World};
use anyhow::Result;
use std::time::Duration;

/// Undoes one thing.
type Heal = Box<dyn FnOnce(&mut World) -> Result<()>>;
/// Goes on with it: called several times per second with the time since the fault came.
type Tick = Box<dyn FnMut(&mut World, Duration) -> Result<()>>;

/// The faults that are active.
#[derive(Default)]
pub(super) struct Active {
    heal: Vec<Heal>,
    ticks: Vec<Tick>,
    /// How long it may last at most. `None`: as long as wanted.
    pub(super) limit: Option<Duration>,
}

impl Active {
    fn heal_by(mut self, heal: impl FnOnce(&mut World) -> Result<()> + 'static) -> Self {
        self.heal.push(Box::new(heal));
        self
    }

    /// Something to do when everything else is undone.
    fn finish_by(mut self, finish: impl FnOnce(&mut World) -> Result<()> + 'static) -> Self {
        self.heal.insert(0, Box::new(finish));
        self
    }

    fn and_tick(mut self, tick: impl FnMut(&mut World, Duration) -> Result<()> + 'static) -> Self {
        self.ticks.push(Box::new(tick));
        self
    }

    fn and(mut self, other: Self) -> Self {
        self.heal.extend(other.heal);
        self.ticks.extend(other.ticks);
        self.limit = [self.limit, other.limit].into_iter().flatten().min();
        self
    }

    /// Goes on with it.
    pub(super) fn tick(&mut self, world: &mut World, since: Duration) -> Result<()> {
        self.ticks.iter_mut().try_for_each(|tick| tick(world, since))
    }

    /// Undoes everything, the last step first. Returns the first error when all is done.
    pub(super) fn heal(self, world: &mut World) -> Result<()> {
        self.heal.into_iter().rev().map(|heal| heal(world)).fold(Ok(()), Result::and)
    }
}

/// One thing that is broken, or done without breaking anything.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    Path(PathFault),
    Node(NodeFault),
    Pod(PodFault),
    Control(Control),
    Two(Box<Self>, Box<Self>),
}

impl Fault {
    /// Puts it in force.
    pub(super) fn inject(&self, world: &mut World) -> Result<Active> {
        match self {
            Self::Path(fault) => fault.inject(world),
            Self::Node(fault) => fault.inject(world),
            Self::Pod(fault) => fault.inject(world),
            Self::Control(control) => control.begin(world),
            Self::Two(one, other) => {
                let first = one.inject(world)?;
                match other.inject(world) {
                    Ok(second) => Ok(first.and(second)),
                    Err(error) => first.heal(world).and(Err(error)),
                }
            }
        }
    }

    /// The expected answers, one per fault. Empty: none.
    pub(super) fn expected(&self) -> Vec<Expected> {
        match self {
            Self::Path(fault) => vec![fault.expected()],
            Self::Node(fault) => vec![fault.expected()],
            Self::Pod(fault) => vec![fault.expected()],
            Self::Control(_) => Vec::new(),
            Self::Two(one, other) => [one.expected(), other.expected()].concat(),
        }
    }

    /// Nodes whose agents see it best: those that are recorded.
    pub(super) fn witnesses(&self) -> Vec<String> {
        match self {
            Self::Path(fault) => fault.witnesses(),
            Self::Node(fault) => fault.witnesses(),
            Self::Pod(fault) => fault.witnesses(),
            Self::Control(_) => vec!["a".to_owned()],
            Self::Two(one, _) => one.witnesses(),
        }
    }
}

/// Node of a Pod.
fn node_of(pod: &str) -> &str {
    pod.rsplit('-').next().unwrap_or(pod)
}

/// The next Node of the ring: one of those that `node` is called by.
fn caller_of(node: &str) -> String {
    let at = node.bytes().next().unwrap_or(b'a').wrapping_sub(b'a');
    char::from(b'a' + (at + 7) % 8).to_string()
}
