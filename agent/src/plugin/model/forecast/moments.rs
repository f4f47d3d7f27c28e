//! Moments of a recorded time.

use crate::api::Span;
use jiff::Timestamp;

/// So many moments, evenly over the recorded part of a time, its end included. Fewer if it is too short for them.
pub fn moments(spans: &[Span], (from, to): (Timestamp, Timestamp), count: usize) -> Vec<Timestamp> {
    let ms = |stamp: &str| stamp.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    let (from, to) = (from.as_millisecond(), to.as_millisecond());
    let mut parts: Vec<(i64, i64)> = spans
        .iter()
        .filter_map(|span| Some((ms(&span.from)?.max(from), ms(&span.to)?.min(to))))
        .filter(|(begin, end)| begin <= end)
        .collect();
    parts.sort_unstable();
    // Times that overlap would count twice.
    let mut newest = i64::MIN;
    for part in &mut parts {
        part.0 = part.0.max(newest);
        newest = newest.max(part.1);
    }
    parts.retain(|(begin, end)| begin <= end);
    let length: i64 = parts.iter().map(|(begin, end)| end - begin).sum();
    let steps = i64::try_from(count.saturating_sub(1)).unwrap_or(i64::MAX).max(1);
    let mut out: Vec<Timestamp> = (0..=steps)
        .take(count)
        .filter_map(|step| {
            let mut left = length / steps * step + length % steps * step / steps;
            let part = parts.iter().find(|(begin, end)| {
                let is_here = left <= end - begin;
                if !is_here {
                    left -= end - begin;
                }
                is_here
            });
            part.and_then(|(begin, _)| Timestamp::from_millisecond(begin + left).ok())
        })
        .collect();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + minute * 60).unwrap()
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: at(from).to_string(), to: at(to).to_string() }
    }

    fn minutes(spans: &[Span], count: usize) -> Vec<i64> {
        let all = moments(spans, (at(0), at(100)), count);
        all.iter().map(|moment| (moment.as_second() - 1_767_225_600) / 60).collect()
    }

    #[test]
    fn moments_are_even_over_what_is_recorded() {
        assert_eq!(minutes(&[span(0, 90)], 4), [0, 30, 60, 90]);
        assert_eq!(minutes(&[span(0, 30), span(60, 90)], 3), [0, 30, 90]);
        assert_eq!(minutes(&[span(-50, 20), span(80, 200)], 5), [0, 10, 20, 90, 100]);
    }

    #[test]
    fn too_short_or_nonsensical_times_give_fewer() {
        assert_eq!(minutes(&[span(5, 5)], 10), [5]);
        assert_eq!(minutes(&[], 10), Vec::<i64>::new());
        assert_eq!(minutes(&[span(50, 20), span(200, 300)], 10), Vec::<i64>::new());
        assert_eq!(minutes(&[Span { from: "x".into(), to: "y".into() }], 2), Vec::<i64>::new());
        assert_eq!(minutes(&[span(0, 60), span(30, 60)], 3), [0, 30, 60], "overlapping times count once");
    }
}
