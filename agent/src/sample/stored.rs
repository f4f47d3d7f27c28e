//! A snapshot's line in a recording.
//!
//! Each family is a list of `[key parts …, row]`, each row an object of the fields that are not zero. The names are
//! those of the declarations, so that a new counter or family needs no code here.

use super::{
    CgroupFacts, Cumulative, HostSample, Snapshot, legacy,
    stored_call::StoredCall,
    stored_key::StoredKey,
    table::{Counted, Families, Read, Rows, Table as _},
};
use crate::names::Answer;
use netwhy_abi::{Counter, Zero as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A snapshot's line.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    at_ns: u64,
    unix_ms: u64,
    hz: Option<u32>,
    /// Not in the first recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    walked_ns: Option<u64>,
    /// By [`Counter`]; older recordings know fewer.
    counters: Vec<u64>,
    groups: Vec<CgroupFacts>,
    /// Only where calls are sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<StoredCall>,
    /// Only where names are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer>,
    /// Not in the first recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<HostSample>,
    /// By family `NAME` its rows, and as `gone_NAME` the rows that were taken out.
    #[serde(flatten)]
    families: Map<String, Value>,
}

impl Stored {
    /// The line of a snapshot.
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let mut families = Map::new();
        for_each_family!(F => { store::<F>(F::of(&snapshot.tables), &mut families) });
        Self {
            at_ns: snapshot.at.as_nanos() as u64,
            unix_ms: snapshot.unix_ms,
            hz: snapshot.hz,
            walked_ns: snapshot.walked_at.map(|at| at.as_nanos() as u64),
            counters: snapshot.counters.to_vec(),
            groups: snapshot.groups.clone(),
            calls: snapshot.calls.iter().map(StoredCall::new).collect(),
            answers: snapshot.answers.clone(),
            host: snapshot.host.clone(),
            families,
        }
    }

    /// The host signals of the line, to leave out unchanged ones.
    pub(super) fn host_mut(&mut self) -> Option<&mut HostSample> {
        self.host.as_mut()
    }

    /// The snapshot of a line; `format` is the recording's.
    ///
    /// # Errors
    /// The reason why it is none.
    pub(super) fn restore(mut self, format: u32) -> Result<Snapshot, String> {
        let mut tables = Families::<Read>::default();
        for_each_family!(F => { *F::of_mut(&mut tables) = restore::<F>(&mut self.families, format)? });
        if let Some(unknown) = self.families.keys().next() {
            return Err(format!("a snapshot has no field `{unknown}`"));
        }
        let mut counters = [0; Counter::ALL.len()];
        let known = counters.get_mut(..self.counters.len());
        known.ok_or_else(|| format!("there are no {} counters", self.counters.len()))?.copy_from_slice(&self.counters);
        if !self.answers.iter().all(Answer::is_valid) {
            return Err("an answer has no name or no address".to_owned());
        }
        Ok(Snapshot {
            at: Duration::from_nanos(self.at_ns),
            unix_ms: self.unix_ms,
            hz: self.hz,
            walked_at: self.walked_ns.map(Duration::from_nanos),
            tables,
            counters,
            groups: self.groups,
            calls: self.calls.into_iter().map(StoredCall::restore).collect::<Result<_, _>>()?,
            answers: self.answers,
            host: self.host,
        })
    }
}

/// Name of the list of rows that were taken out.
fn gone<F: Counted>() -> String {
    format!("gone_{}", F::NAME)
}

/// Adds a family's rows to a line.
pub(super) fn store<F: Counted>(table: &Rows<F>, families: &mut Map<String, Value>) {
    let row = |(key, row): &(F::Key, F::Row)| -> Value {
        key.store().into_iter().chain([row.store().unwrap_or(json!(0))]).collect()
    };
    // A key of one field is no list.
    let key = |key: &F::Key| {
        let mut parts = key.store();
        if parts.len() == 1 { parts.remove(0) } else { parts.into() }
    };
    if !table.rows.is_empty() {
        families.insert(F::NAME.to_owned(), table.rows.iter().map(row).collect());
    }
    if !table.gone.is_empty() {
        families.insert(gone::<F>(), table.gone.iter().map(key).collect());
    }
}

/// Takes a family's rows out of a line.
pub(super) fn restore<F: Counted>(families: &mut Map<String, Value>, format: u32) -> Result<Rows<F>, String> {
    let mut list = |name: &str| match families.remove(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(format!("{name} is no list")),
    };
    let (rows, gone) = (list(F::NAME)?, list(&gone::<F>())?);
    let bad_key = || format!("{}: it is no key", F::NAME);
    let row = |entry: Value| {
        let Value::Array(mut parts) = entry else { return Err(format!("{}: it is no row", F::NAME)) };
        let mut row = parts.pop().unwrap_or_default();
        if format < 2 {
            legacy::upgrade(F::NAME, &mut row).ok_or_else(|| format!("{}: it is no row of format 1", F::NAME))?;
        }
        let key = StoredKey::restore(&parts).ok_or_else(bad_key)?;
        // A row in which nothing was counted.
        if row == json!(0) {
            return Ok((key, F::Row::ZERO));
        }
        Ok((key, Cumulative::restore(&row).map_err(|why| format!("{}: {why}", F::NAME))?))
    };
    let key = |key: Value| {
        let parts = if let Value::Array(parts) = key { parts } else { vec![key] };
        StoredKey::restore(&parts).ok_or_else(bad_key)
    };
    Ok(Rows {
        rows: rows.into_iter().map(row).collect::<Result<_, _>>()?,
        gone: gone.into_iter().map(key).collect::<Result<_, _>>()?,
    })
}
