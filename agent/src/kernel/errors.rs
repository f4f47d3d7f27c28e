//! Errors of bpf(2) while the agent runs: each is named, counted and logged once per outage. The tick goes on.

use crate::api::KernelErrors;

/// Requests to the kernel in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// A walk over the living sockets.
    Walk,
    /// Reading the rows of the maps.
    ReadRows,
    /// Reading the programs' own counters.
    ReadCounters,
    /// Writing the record that steers the programs.
    Steer,
    /// Taking idle rows out of the maps.
    TakeRows,
    /// Giving ports their places back.
    FreePorts,
    /// Writing the peer ranges.
    SetPrefixes,
    /// Attaching a program again, for a duty period.
    Attach,
    /// Reading the run statistics of the programs.
    ReadPrograms,
}

impl Operation {
    const ALL: [Self; 9] = [
        Self::Walk,
        Self::ReadRows,
        Self::ReadCounters,
        Self::Steer,
        Self::TakeRows,
        Self::FreePorts,
        Self::SetPrefixes,
        Self::Attach,
        Self::ReadPrograms,
    ];

    /// Name in the API, and value of the `operation` label.
    const fn label(self) -> &'static str {
        match self {
            Self::Walk => "walk",
            Self::ReadRows => "read_rows",
            Self::ReadCounters => "read_counters",
            Self::Steer => "steer",
            Self::TakeRows => "take_rows",
            Self::FreePorts => "free_ports",
            Self::SetPrefixes => "set_prefixes",
            Self::Attach => "attach",
            Self::ReadPrograms => "read_programs",
        }
    }
}

/// The errors so far.
#[derive(Debug, Default)]
pub(super) struct Errors([Outcomes; Operation::ALL.len()]);

/// Outcomes of one operation.
#[derive(Debug, Default)]
struct Outcomes {
    errors: u64,
    /// Why it fails now. `None`: it works.
    failing: Option<String>,
}

impl Errors {
    /// Takes in the outcome of an operation. Returns the value, or after an error `None`.
    pub(super) fn note<T>(&mut self, operation: Operation, result: anyhow::Result<T>) -> Option<T> {
        let outcomes = &mut self.0[operation as usize];
        let name = operation.label();
        match result {
            Ok(value) => {
                if outcomes.failing.take().is_some() {
                    tracing::info!(operation = name, "works again");
                }
                Some(value)
            }
            Err(error) => {
                outcomes.errors += 1;
                let why = format!("{error:#}");
                if outcomes.failing.is_none() {
                    tracing::warn!(
                        operation = name,
                        "failed: {why}; the tick goes on without it, and netwhy_agent_kernel_errors_total counts it"
                    );
                }
                outcomes.failing = Some(why);
                None
            }
        }
    }

    /// Why the operation fails now. `None`: it works.
    pub(super) fn why(&self, operation: Operation) -> Option<&str> {
        self.0[operation as usize].failing.as_deref()
    }

    /// All operations with their errors.
    pub(super) fn stats(&self) -> Vec<KernelErrors> {
        let each = Operation::ALL.into_iter().map(|operation| {
            let Outcomes { errors, failing } = &self.0[operation as usize];
            KernelErrors { operation: operation.label().to_owned(), count: *errors, last_error: failing.clone() }
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests;
