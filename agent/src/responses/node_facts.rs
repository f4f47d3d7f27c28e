//! The facts of `/api/v1/node` in which Nodes may differ.

use crate::{
    api::FactRow,
    sample::{Device, NodeFact, State},
    state::{HostView, NodeView, SubjectKind},
};

/// Facts about the Node as a whole, then those about its interfaces. Empty: the Node's signals are not read.
pub(super) fn facts(view: &NodeView) -> Vec<FactRow> {
    let Some(host) = &view.host else { return Vec::new() };
    let pods = view
        .subjects
        .iter()
        .filter(|subject| subject.id.kind == SubjectKind::Pod && subject.gone_since.is_none())
        .count();
    let mut out = vec![setting("agent", None, env!("CARGO_PKG_VERSION"))];
    out.push(FactRow { unit: Some("Pods".to_owned()), ..setting("pods", None, &pods.to_string()) });
    out.extend(host.facts.iter().map(row));
    out.extend(host.devices.iter().flat_map(|device| driver(host, device)));
    out
}

fn setting(fact: &str, on: Option<&str>, value: &str) -> FactRow {
    FactRow {
        fact: fact.to_owned(),
        on: on.map(str::to_owned),
        value: Some(value.to_owned()),
        unit: None,
        state: State::Ok.label().to_owned(),
        why: None,
    }
}

fn row(fact: &NodeFact) -> FactRow {
    let NodeFact { name, on, value, unit } = fact;
    let shown = setting(name, on.as_deref(), value.as_deref().unwrap_or_default());
    let unit = unit.map(str::to_owned);
    match value {
        Ok(_) => FactRow { unit, ..shown },
        Err(state) => {
            let (state, why) = (state.label().to_owned(), state.why().map(str::to_owned));
            FactRow { value: None, unit, state, why, ..shown }
        }
    }
}

/// The driver, and the queue discipline. A part that is unknown because its group could not be read is not absent.
fn driver(host: &HostView, device: &Device) -> [FactRow; 4] {
    let Device { name, index: _, driver, version, firmware, qdisc } = device;
    let qdisc_state = host.states.get(&crate::sample::Group::Qdiscs).filter(|state| **state != State::Ok);
    let all = [("driver", driver), ("driver_version", version), ("firmware", firmware), ("qdisc", qdisc)];
    all.map(|(fact, value)| match value {
        Some(value) => setting(fact, Some(name), value),
        None => {
            let state = qdisc_state.filter(|_| fact == "qdisc").unwrap_or(&State::Absent);
            let (state, why) = (state.label().to_owned(), state.why().map(str::to_owned));
            FactRow { value: None, state, why, ..setting(fact, Some(name), "") }
        }
    })
}

#[cfg(test)]
mod tests;
