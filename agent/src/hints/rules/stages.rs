//! The stages of a request, and how much each of them grew.

use crate::{baseline::ResponseBaseline, hints::stats::ms, state::ResponseView};
use netwhy_abi::Role;

/// One stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) name: &'static str,
    /// Mean per request in the window, µs.
    pub(super) now_us: f64,
    /// The same in normal times.
    pub(super) usual_us: f64,
}

/// All stages of one end, in the order of a request.
pub(super) struct Growth {
    pub(super) stages: Vec<Stage>,
    requests: f64,
}

impl Growth {
    pub(super) fn new(now: &ResponseView, role: Role, times: &ResponseBaseline) -> Self {
        let requests = now.window.durations.count() as f64;
        let usual = times.normal(role).map(|normal| normal.stages_us).unwrap_or_default();
        // A server's time may be undivided: no stage of it is known then.
        let stages = now.window.stages(role).into_iter().filter_map(|(name, us)| {
            let (_, usual_us) = usual.iter().find(|(stage, _)| *stage == name)?;
            Some(Stage { name, now_us: us as f64 / requests.max(1.0), usual_us: *usual_us })
        });
        Self { stages: stages.collect(), requests }
    }

    /// Some stage is known, now and in normal times.
    pub(super) fn is_known(&self) -> bool {
        !self.stages.is_empty()
    }

    /// The stage of this name. `None`: this end has none.
    pub(super) fn of(&self, name: &str) -> Option<Stage> {
        self.stages.iter().find(|stage| stage.name == name).copied()
    }

    /// Its part in the growth of all stages that grew, 0 … 1.
    pub(super) fn share(&self, name: &str) -> f64 {
        let grew = |stage: &Stage| (stage.now_us - stage.usual_us).max(0.0);
        let all: f64 = self.stages.iter().map(grew).sum();
        let of = self.of(name).as_ref().map_or(0.0, grew);
        if all > 0.0 { of / all } else { 0.0 }
    }

    /// Time that all requests of the window took longer than usual, µs.
    pub(super) fn extra_us(&self) -> f64 {
        let longer: f64 = self.stages.iter().map(|stage| stage.now_us - stage.usual_us).sum();
        longer.max(0.0) * self.requests
    }

    /// `peer 41 ms, network 0.10 ms, retransmission 0 ms per request (usually 1.2, …)`, the stage that grew most first.
    pub(super) fn text(&self) -> String {
        if !self.is_known() {
            return "no read was seen, so its stages are not known".to_owned();
        }
        let mut stages = self.stages.clone();
        stages.sort_by(|a, b| (b.now_us - b.usual_us).total_cmp(&(a.now_us - a.usual_us)));
        let each = stages.iter().map(|s| format!("{} {} (usually {})", s.name, ms(s.now_us), ms(s.usual_us)));
        format!("per request {}", each.collect::<Vec<_>>().join(", "))
    }
}
