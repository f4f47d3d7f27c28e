//! The bound of all rows together: subjects beyond the series limit are summed up in the row `~other`.
//!
//! No counter of that row ever falls. A subject that joined it stays in it until it is gone, and then leaves its counts
//! behind.

use super::rows::Row;
use crate::{
    sample::{CpuStat, Pressure},
    state::{Folded, SubjectSums, SubjectView},
};
use std::collections::BTreeMap;

/// The members of the row `~other`, from one scrape to the next.
#[derive(Debug, Default)]
pub struct SharedRow {
    /// Counts at the newest scrape, by namespace and name.
    members: BTreeMap<(String, String), Counts>,
    /// Counts of members that are gone.
    gone: Counts,
}

/// Exported counts of a subject.
#[derive(Clone, Debug, Default)]
struct Counts {
    sums: SubjectSums,
    cpu: Option<CpuStat>,
    pressure: Option<Pressure>,
    oom_kills: Option<u64>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        let Self { sums, cpu, pressure, oom_kills } = other;
        self.sums.add(sums);
        if let Some(cpu) = cpu {
            self.cpu.get_or_insert_default().add(cpu);
        }
        if let Some(pressure) = pressure {
            self.pressure.get_or_insert_default().add(pressure);
        }
        if let Some(kills) = oom_kills {
            *self.oom_kills.get_or_insert_default() += kills;
        }
    }

    fn of(view: &SubjectView) -> Self {
        let SubjectView { sums, cpu, pressure, oom_kills, .. } = view;
        Self { sums: sums.clone(), cpu: *cpu, pressure: *pressure, oom_kills: *oom_kills }
    }

    fn is_zero(&self) -> bool {
        let Self { sums, cpu, pressure, oom_kills } = self;
        sums.is_zero() && cpu.is_none() && pressure.is_none() && oom_kills.is_none()
    }
}

impl SharedRow {
    /// Sums up the members, and then the quietest rows, until at most `max_series` remain, as counted by `series`. Rows
    /// are ranked by segments since the start. `lost`: subjects that lost their
    /// rows early. Returns the number of rows
    /// summed up.
    pub(super) fn fold(
        &mut self,
        rows: &mut Vec<Row<'_>>,
        lost: Option<&Folded>,
        max_series: usize,
        series: impl Fn(&Row<'_>) -> usize,
    ) -> usize {
        let mut other = Row::other(SubjectView::default());
        if let Some(lost) = lost {
            other.absorb(&lost.sums);
        }
        let is_member = |row: &Row<'_>| !self.members.is_empty() && self.members.contains_key(&name(row));
        let mut folded: Vec<bool> = rows.iter().map(is_member).collect();
        rows.iter().zip(&folded).filter(|(_, folded)| **folded).for_each(|(row, _)| other.absorb(&row.view));
        let own = rows.iter().enumerate().filter(|(i, _)| !folded[*i]);
        let mut counts: Vec<(u64, usize, usize)> = own.map(|(i, r)| (r.total.segs_out, i, series(r))).collect();
        let mut total: usize = counts.iter().map(|(_, _, n)| n).sum();
        let mut others = if folded.contains(&true) { series(&other) } else { 0 };
        counts.sort_unstable_by(|a, b| b.cmp(a));
        while total + others > max_series {
            let Some((_, quietest, n)) = counts.pop() else { break };
            total -= n;
            folded[quietest] = true;
            other.absorb(&rows[quietest].view);
            others = series(&other);
        }
        self.remember(rows, &folded, lost);
        if !self.gone.is_zero() {
            other.absorb(&self.gone.clone().into_view());
        }
        let number = folded.iter().filter(|folded| **folded).count();
        let mut index = 0;
        rows.retain(|_| {
            index += 1;
            !folded[index - 1]
        });
        if number > 0 || lost.is_some() || !self.gone.is_zero() {
            rows.push(other);
        }
        number
    }

    /// Keeps the members' counts, and those of members that are gone, unless `lost` has them. One that began again is
    /// another one.
    fn remember(&mut self, rows: &[Row<'_>], folded: &[bool], lost: Option<&Folded>) {
        let before = std::mem::take(&mut self.members);
        for (row, _) in rows.iter().zip(folded).filter(|(_, folded)| **folded) {
            self.members.entry(name(row)).or_default().add(&Counts::of(&row.view));
        }
        for (name, last) in before {
            let is_over = match self.members.get(&name) {
                Some(now) => now.sums.samples() < last.sums.samples(),
                None => lost.is_none_or(|lost| !lost.contains(&name.0, &name.1)),
            };
            if is_over {
                self.gone.add(&last);
            }
        }
    }
}

impl Counts {
    fn into_view(self) -> SubjectView {
        let Self { sums, cpu, pressure, oom_kills } = self;
        SubjectView { sums, cpu, pressure, oom_kills, ..SubjectView::default() }
    }
}

/// Two rows that differ in the workload alone share a membership, since that label can be switched off.
fn name(row: &Row<'_>) -> (String, String) {
    let (namespace, name) = row.name();
    (namespace.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests;
