//! How odd one Node's value is among those of others.

use super::profile::Value;
use std::cmp::Ordering;

/// Largest share of the compared Nodes whose value is as rare, for a value that is odd. With few Nodes one of them is
/// enough.
const RARE: f64 = 0.1;
/// Robust standard deviations beyond which a quantity is odd (Iglewicz and Hoaglin, 1993).
const FAR: f64 = 3.5;
/// Fewest others for a robust distance.
const MIN_NUMBERS: usize = 4;
/// A standard deviation is this many median absolute deviations of a normal distribution.
const MAD: f64 = 1.4826;
/// Quantities that differ by less than this share of the median do not differ.
const TOLERANCE: f64 = 0.05;

/// Share of the compared Nodes whose value is less rare, 0 … 1; then the distance of a quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Oddness {
    share: f64,
    distance: f64,
}

impl Oddness {
    pub(super) fn share(self) -> f64 {
        (self.share * 1000.0).round() / 1000.0
    }

    pub(super) fn cmp_share(&self, other: &Self) -> Ordering {
        self.share.total_cmp(&other.share)
    }

    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_share(other).then_with(|| self.distance.total_cmp(&other.distance))
    }

    pub(super) fn max(self, other: Self) -> Self {
        if self.cmp(&other) == Ordering::Less { other } else { self }
    }
}

/// A value among those of others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weighed {
    pub(super) oddness: Oddness,
    /// Nodes with the value, the Node included.
    pub(super) same: usize,
    /// Nodes of which the fact is known, the Node included.
    pub(super) compared: usize,
    pub(super) usual: Option<String>,
    pub(super) usual_on: usize,
    /// Whether a quantity is far from the others. `None`: a setting.
    pub(super) is_far: Option<bool>,
    /// Nodes with the most frequent value, the Node included.
    pub(super) most: usize,
}

impl Weighed {
    /// Rare, and not just one of many different values.
    pub(super) fn is_odd(&self) -> bool {
        let others = self.compared.saturating_sub(1);
        let as_rare = 1.0 - self.oddness.share;
        let is_rare = others >= super::MIN_OTHERS && as_rare <= RARE.max(1.0 / self.compared as f64) + 1e-9;
        is_rare && self.is_far.unwrap_or(true)
    }

    /// Every Node has a value of its own, such as its name.
    pub(super) fn is_unique_everywhere(&self) -> bool {
        self.is_far.is_none() && self.most == 1
    }
}

/// Weighs a value against the known ones of others. `None`: it is unknown, or there is nothing to compare it with.
pub(super) fn weigh<'v>(own: &Value, others: impl Iterator<Item = &'v Value>) -> Option<Weighed> {
    let others: Vec<&Value> = others.filter(|value| **value != Value::Unknown).collect();
    if *own == Value::Unknown || others.is_empty() {
        return None;
    }
    if let Value::Number(own, _) = own {
        let numbers: Vec<f64> =
            others.iter().filter_map(|other| if let Value::Number(n, _) = other { Some(*n) } else { None }).collect();
        return number(*own, &numbers);
    }
    Some(setting(own, &others))
}

/// Whether two known values differ; quantities by more than the tolerance.
pub(super) fn is_different(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Unknown, _) | (_, Value::Unknown) => false,
        (Value::Number(a, _), Value::Number(b, _)) => (a - b).abs() > TOLERANCE * a.abs().max(b.abs()),
        (a, b) => a != b,
    }
}

fn setting(own: &Value, others: &[&Value]) -> Weighed {
    let mut counts: Vec<(&Value, usize)> = vec![(own, 1)];
    for other in others {
        match counts.iter_mut().find(|(value, _)| value == other) {
            Some((_, count)) => *count += 1,
            None => counts.push((other, 1)),
        }
    }
    let compared = others.len() + 1;
    let same = counts[0].1;
    // Each value stands for as many Nodes as have it.
    let as_rare: usize = counts.iter().map(|(_, count)| count).filter(|count| **count <= same).sum();
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1);
    // The first of equally frequent ones, so that the order of Nodes decides.
    let usual = counts[1..].iter().rev().max_by_key(|(_, count)| *count).unwrap_or(&counts[0]);
    Weighed {
        oddness: Oddness { share: 1.0 - as_rare as f64 / compared as f64, distance: 0.0 },
        same,
        compared,
        usual: usual.0.text(),
        usual_on: usual.1,
        is_far: None,
        most,
    }
}

fn number(own: f64, others: &[f64]) -> Option<Weighed> {
    let median = median(others.to_vec())?;
    let distance = |value: f64| (value - median).abs();
    let mad = self::median(others.iter().map(|other| distance(*other)).collect())?;
    let scale = (MAD * mad).max(TOLERANCE / FAR * median.abs()).max(f64::MIN_POSITIVE);
    let far = distance(own) / scale;
    let compared = others.len() + 1;
    let same = 1 + others.iter().filter(|other| distance(**other) >= distance(own)).count();
    Some(Weighed {
        oddness: Oddness { share: 1.0 - same as f64 / compared as f64, distance: far },
        same,
        compared,
        usual: Some(format!("{median}")),
        usual_on: others.len(),
        is_far: Some(others.len() >= MIN_NUMBERS && far > FAR),
        most: compared,
    })
}

/// The lower median. `None`: no values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// A value with its unit: times and bytes as people read them.
pub(super) fn shown(value: &str, unit: Option<&str>) -> String {
    let number = value.parse::<f64>().unwrap_or(f64::NAN);
    match unit {
        None => value.to_owned(),
        Some("seconds") if number.is_finite() => span(number),
        Some("bytes") if number.is_finite() => format!("{:.1} GiB", number / f64::from(1u32 << 30)),
        Some(unit) if number.is_finite() => format!("{value} {unit}"),
        Some(_) => value.to_owned(),
    }
}

/// A long time span: `45 s`, `12 min`, `30 h`, `5 d`.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}
