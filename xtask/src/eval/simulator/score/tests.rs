use super::*;

#[test]
fn a_fit_finds_the_coefficients_that_made_the_answers() {
    let truth = Calibration { intercept: -1.0, nats: 0.8, single_path: -0.5 };
    let mut tally = Tally::default();
    // Of a thousand verdicts alike, as many are right as their confidence says.
    for (i, single_path) in (0..8).flat_map(|i| [(i, false), (i, true)]) {
        let above = f64::from(i * i);
        let right = (truth.confidence(above, single_path) * 1000.0).round() as usize;
        for n in 0..1000 {
            let answer = if n < right { Answer::Right { direction: true } } else { Answer::WrongNode };
            tally.judged.push(Judged { answer, confidence: right as f64 / 1000.0, above, single_path });
        }
    }
    let fit = tally.fit();
    assert!((fit.intercept + 1.0).abs() < 0.05 && (fit.nats - 0.8).abs() < 0.05, "{fit:?}");
    assert!((fit.single_path + 0.5).abs() < 0.05, "{fit:?}");
    assert!(tally.calibration_error() < 1e-9);
    tally.judged.iter_mut().for_each(|judged| judged.confidence = 0.99);
    assert!(tally.calibration_error() > 0.1);
}
