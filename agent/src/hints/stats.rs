//! Statistical tests and formats.

/// False-alarm rate of one loss test: the chance that the baseline alone makes so many episodes.
pub(crate) const LOSS_ALPHA: f64 = 1e-6;
/// Below this chance one window is enough to begin a hint.
pub(crate) const OVERWHELMING_ALPHA: f64 = 1e-12;

/// Natural logarithm of the chance of `events` or more when `expected` are expected (Poisson upper tail). 0 when
/// `events` are not more than expected; −∞ when none are expected.
pub(crate) fn poisson_tail_ln(events: u64, expected: f64) -> f64 {
    let k = events as f64;
    if k <= expected || events == 0 {
        return 0.0;
    }
    if expected <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let ln_first = k * expected.ln() - expected - ln_factorial(events);
    // Terms fall by λ/(k+i) < 1 each; what is left after the last is below 1e-12 of the sum.
    let (mut sum, mut term, mut next) = (1.0, 1.0, k + 1.0);
    while term > sum * 1e-12 && next < k + 100_000.0 {
        term *= expected / next;
        sum += term;
        next += 1.0;
    }
    (ln_first + f64::ln(sum)).min(0.0)
}

/// Upper bound (Chernoff) of the natural logarithm of the chance of `k` or more among `n`, of which each comes with
/// chance `p`. 0 when `k` are not more than expected.
pub(crate) fn binomial_tail_ln(k: f64, n: f64, p: f64) -> f64 {
    let share = k / n;
    if n <= 0.0 || share <= p {
        return 0.0;
    }
    let rest = 1.0 - share;
    let rest = if rest > 0.0 { rest * (rest / (1.0 - p)).ln() } else { 0.0 };
    -n * (share * (share / p).ln() + rest)
}

/// Lower bound (Chernoff) of the evidence against `expected` events, of which only `seen` came, nats (Poisson lower tail).
/// 0 when as many came as expected.
pub(crate) fn fewer_nats(seen: f64, expected: f64) -> f64 {
    if seen >= expected {
        return 0.0;
    }
    let came = if seen > 0.0 { seen * (seen / expected).ln() } else { 0.0 };
    expected - seen + came
}

/// How much better a chance above `p` explains `k` of `n` than `p` itself does, nats (Bayes factor; all chances above `p`
/// are as likely). Below 0 when `p` explains them better. 0 when `p` leaves no room on either side.
pub(crate) fn higher_chance_nats(k: f64, n: f64, p: f64) -> f64 {
    const STEPS: u32 = 512;
    if p <= 0.0 || p >= 1.0 {
        return 0.0;
    }
    let nats = |step: u32| {
        let chance = p + (1.0 - p) * (f64::from(step) + 0.5) / f64::from(STEPS);
        k * (chance / p).ln() + (n - k) * ((1.0 - chance) / (1.0 - p)).ln()
    };
    let most = (0..STEPS).map(nats).fold(f64::NEG_INFINITY, f64::max);
    let mean = (0..STEPS).map(|step| (nats(step) - most).exp()).sum::<f64>() / f64::from(STEPS);
    most + mean.ln()
}

/// The shares of which `k` of `n` may be a sample, with 95 % confidence (Wilson). All of 0 … 1 when `n` is 0.
pub(crate) fn share_interval(k: f64, n: f64) -> (f64, f64) {
    // Two-sided 95 % of a normal distribution.
    const Z2: f64 = 1.96 * 1.96;
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let share = (k / n).clamp(0.0, 1.0);
    let middle = (share + Z2 / (2.0 * n)) / (1.0 + Z2 / n);
    let half = (Z2 * (share * (1.0 - share) / n + Z2 / (4.0 * n * n))).sqrt() / (1.0 + Z2 / n);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// ln n!, by Stirling's series above 64 (relative error below 1e-12).
fn ln_factorial(n: u64) -> f64 {
    if n <= 64 {
        return (2..=n).map(|i| (i as f64).ln()).sum();
    }
    let x = n as f64;
    x * x.ln() - x + 0.5 * (std::f64::consts::TAU * x).ln() + 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3))
}

/// Confidence for `nats` of evidence beyond the decision limit, times `certainty` (1 = decided, less with
/// alternatives): `certainty · (0.5 + 0.49 · (1 − e^(−nats/10)))`, two decimals, within 0 … 0.99.
pub(crate) fn confidence(nats: f64, certainty: f64) -> f64 {
    let c = certainty * (0.5 + 0.49 * (1.0 - (-nats.max(0.0) / 10.0).exp()));
    (c.clamp(0.0, 0.99) * 100.0).round() / 100.0
}

/// Evidence of a value over its limit, in the unit of [`confidence`]: ten per e-fold, 0 at the limit.
pub(crate) fn over(observed: f64, limit: f64) -> f64 {
    if observed <= 0.0 || limit <= 0.0 { 0.0 } else { (10.0 * (observed / limit).ln()).max(0.0) }
}

/// `2.1 %`, with as many digits as the value needs.
pub(crate) fn percent(share: f64) -> String {
    // No share is below zero, and none is `-0`.
    let p = if share > 0.0 { share * 100.0 } else { 0.0 };
    if p == 0.0 || p >= 10.0 {
        format!("{p:.0} %")
    } else if p >= 0.1 {
        format!("{p:.1} %")
    } else {
        format!("{p:.2} %")
    }
}

/// Milliseconds from µs, with as many digits as the value needs.
pub(crate) fn ms(us: f64) -> String {
    let v = us / 1000.0;
    if v >= 10.0 {
        format!("{v:.0} ms")
    } else if v >= 1.0 {
        format!("{v:.1} ms")
    } else {
        format!("{v:.2} ms")
    }
}

#[cfg(test)]
mod tests;
