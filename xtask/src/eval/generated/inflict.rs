//! Puts a fault in force, at a level from 0 to 1. Nothing is healed: each case has a world of its own.

mod packets;
mod programs;

use super::{
    draw::process,
    plan::{Fault, Mechanism, Plan},
    world::World,
};
use anyhow::Result;

/// Sets a level.
type Knob = Box<dyn FnMut(&mut World, f64) -> Result<()>>;

/// A fault that can be turned up and down.
pub(super) struct Active {
    knob: Knob,
    level: f64,
}

impl Active {
    fn new(knob: impl FnMut(&mut World, f64) -> Result<()> + 'static) -> Self {
        Self { knob: Box::new(knob), level: 0.0 }
    }

    /// Prepares a fault; nothing is broken yet.
    pub(super) fn prepare(world: &World, plan: &Plan, fault: &Fault) -> Result<Self> {
        if process(fault).is_some() {
            return programs::prepare(plan, fault);
        }
        match &fault.mechanism {
            Mechanism::Delay { .. }
            | Mechanism::Reorder { .. }
            | Mechanism::Duplicate { .. }
            | Mechanism::Corrupt { .. } => packets::forwarder(world, plan, fault),
            Mechanism::Shape { mbit, queue_ms } => packets::shaper(world, plan, fault, (*mbit, *queue_ms)),
            Mechanism::Reject | Mechanism::Reset { .. } => packets::resets(world, plan, fault),
            _ => packets::drops(world, plan, fault),
        }
    }

    pub(super) fn set(&mut self, world: &mut World, level: f64) -> Result<()> {
        if level == self.level {
            return Ok(());
        }
        self.level = level;
        (self.knob)(world, level)
    }
}

/// A knob that is either on or off.
fn switch(mut turn: impl FnMut(&mut World, bool) -> Result<()> + 'static) -> Active {
    let mut is_on = false;
    Active::new(move |world, level| {
        let wanted = level > 0.0;
        if wanted == is_on {
            return Ok(());
        }
        is_on = wanted;
        turn(world, wanted)
    })
}

pub(super) use packets::stand_off;
