//! Sums of sampled calls of HTTP and gRPC, with a bound on their number.

use crate::{
    calls::{Code, Method, UNKNOWN, service_and_method},
    sample::{FineHistogram, Sum},
};
use netwhy_abi::{FINE_BUCKETS, Role, fine_bucket_index};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Routes of one subject and role with rows of their own.
const ROUTES: usize = 16;
/// Rows of one subject, of HTTP and gRPC together, without those of what has none of its own.
const ROWS: usize = 48;
/// Method and route of what has no row of its own.
const OTHER: &str = "~other";
/// The status that tells nothing of a route: there is none.
const NOT_FOUND: u16 = 404;

/// The labels that calls of one row share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallKey {
    /// The end that the subject is.
    pub role: Role,
    /// Route.
    pub route: Arc<str>,
    /// Method. `None`: any, of calls without rows of their own.
    pub method: Option<Method>,
    /// Status code, or its first digit of calls without rows of their own. 0: not known, or of gRPC.
    pub status: u16,
    /// Code of a call of gRPC.
    pub code: Option<Code>,
}

impl CallKey {
    /// The row of such calls that have none of their own.
    fn other(&self) -> Self {
        let class = if self.status < 10 { self.status } else { self.status / 100 };
        Self { role: self.role, route: Arc::from(OTHER), method: None, status: class, code: self.code }
    }

    fn is_other(&self) -> bool {
        self.method.is_none()
    }

    /// Label of the method.
    pub fn method_label(&self) -> &'static str {
        self.method.map_or(OTHER, Method::label)
    }

    /// Label of the status: a code, or such as `5xx`.
    pub fn status_label(&self) -> String {
        match self.status {
            0 => UNKNOWN.to_owned(),
            class @ 1..10 => format!("{class}xx"),
            status => status.to_string(),
        }
    }

    /// Labels of service and method of a call of gRPC.
    pub fn grpc_labels(&self) -> (&str, &str) {
        service_and_method(&self.route).unwrap_or((OTHER, OTHER))
    }

    /// Whether the server failed. What is not known is no error.
    pub fn is_error(&self) -> bool {
        match self.code {
            Some(code) => code.is_error().unwrap_or(false),
            None => self.status == 5 || (500..600).contains(&self.status),
        }
    }

    /// Whether the server knows no such route, so that anything may be in it.
    fn is_not_found(&self) -> bool {
        match self.code {
            Some(code) => code == Code::Unimplemented,
            None => self.status == NOT_FOUND,
        }
    }
}

/// Response times by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSums {
    rows: BTreeMap<CallKey, FineHistogram>,
    /// Calls of gRPC whose begin or end was missed.
    missed: BTreeMap<(Role, Code), u64>,
}

impl CallSums {
    /// Adds a call that stands for this many.
    pub fn add_call(&mut self, key: CallKey, us: u64, times: u64) {
        let us = u32::try_from(us).unwrap_or(u32::MAX);
        // There are fewer than 256 buckets.
        let bucket = fine_bucket_index(us).min(FINE_BUCKETS - 1) as u8;
        let durations = FineHistogram::from_counts([(bucket, times)], u64::from(us).saturating_mul(times));
        self.add_row(key, &durations);
    }

    /// Adds calls of gRPC whose begin or end was missed, so that they have no duration.
    pub fn add_missed(&mut self, role: Role, code: Code, calls: u64) {
        *self.missed.entry((role, code)).or_default() += calls;
    }

    /// Calls of gRPC whose begin or end was missed, by the end that the subject is, and by their code.
    pub fn missed(&self) -> impl Iterator<Item = (Role, Code, u64)> {
        self.missed.iter().map(|((role, code), calls)| (*role, *code, *calls))
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = (&CallKey, &FineHistogram)> {
        self.rows.iter()
    }

    /// Calls of HTTP of one role, and those of them that failed.
    pub fn count(&self, role: Role) -> (u64, u64) {
        let rows = self.rows.iter().filter(|(key, _)| key.role == role && key.code.is_none());
        rows.fold((0, 0), |(all, errors), (key, durations)| {
            let count = durations.count();
            (all + count, errors + if key.is_error() { count } else { 0 })
        })
    }

    fn add_row(&mut self, key: CallKey, durations: &FineHistogram) {
        let key = if self.rows.contains_key(&key) || self.has_room(&key) { key } else { key.other() };
        self.rows.entry(key).or_default().add(durations);
    }

    /// Whether calls of this kind get a row of their own.
    fn has_room(&self, key: &CallKey) -> bool {
        if key.is_other() {
            return true;
        }
        let own = || self.rows.keys().filter(|known| !known.is_other());
        // Of HTTP and of gRPC, each has as many.
        let is_like = |known: &&CallKey| known.role == key.role && known.code.is_some() == key.code.is_some();
        let routes: BTreeSet<&str> = own().filter(is_like).map(|known| known.route.as_ref()).collect();
        let is_known = routes.contains(key.route.as_ref());
        own().count() < ROWS && (is_known || (routes.len() < ROUTES && !key.is_not_found()))
    }
}

impl Sum for CallSums {
    fn add(&mut self, other: &Self) {
        other.rows.iter().for_each(|(key, durations)| self.add_row(key.clone(), durations));
        other.missed().for_each(|(role, code, calls)| self.add_missed(role, code, calls));
    }

    fn subtract(&mut self, other: &Self) {
        for (key, durations) in &other.rows {
            if let Some(sum) = self.rows.get_mut(key) {
                sum.subtract(durations);
            }
        }
        self.rows.retain(|_, durations| !durations.is_empty());
        for (role, code, calls) in other.missed() {
            let sum = self.missed.entry((role, code)).or_default();
            *sum = sum.saturating_sub(calls);
        }
        self.missed.retain(|_, calls| *calls > 0);
    }

    fn is_zero(&self) -> bool {
        self.rows.is_empty() && self.missed.is_empty()
    }
}

#[cfg(test)]
mod tests;
