use crate::{
    hints::testing::{Case, Run, id},
    metrics::fixture::fine_histogram,
    sample::{CpuStat, Responses},
    state::{ResponseView, SubjectView},
};

/// A server of which `n` requests ended in the window after so many µs.
fn serving(us: u32, n: u64) -> Case {
    let durations = fine_histogram(&vec![us; n as usize]);
    let application_us = u64::from(us - 10) * n;
    let window = Responses { durations, unread_us: 10 * n, application_us, ..Responses::default() };
    let server = Some(Box::new(ResponseView { window, ..ResponseView::default() }));
    let subjects = vec![SubjectView { id: id("api"), server, ..SubjectView::default() }];
    Case { subjects, ..Case::default() }
}

fn normal_p50(run: &Run, case: &Case) -> Option<f64> {
    let mut view = run.view(case);
    run.engine.add_baselines(&mut view, &run.thresholds);
    Some(view.subjects[0].server.as_ref()?.normal.as_ref()?.p50_us)
}

#[test]
fn a_server_has_normal_times_after_a_whole_window() {
    let (mut run, case) = (Run::new(), serving(5_000, 100));
    run.ticks(9, &case);
    assert_eq!(normal_p50(&run, &case), None);
    run.ticks(3, &case);
    assert!((normal_p50(&run, &case).unwrap() / 5_000.0 - 1.0).abs() < 0.1);
}

#[test]
fn a_troubled_server_does_not_change_its_normal_times() {
    let mut well = serving(5_000, 100);
    // It has callers, whom its throttling harms.
    well.subjects[0].window.data_segs_out = 1_000;
    let mut run = Run::warm(&well);
    let mut ill = serving(900_000, 5_000);
    ill.subjects[0].window.data_segs_out = 1_000;
    ill.subjects[0].window_cpu = Some(CpuStat {
        periods: 100,
        throttled_periods: 100,
        throttled_us: 9_000_000,
        usage_us: 1_000_000,
        limit_millicores: Some(100),
    });
    assert!(!run.ticks(30, &ill).is_empty(), "a hint fires");
    assert!(normal_p50(&run, &ill).unwrap() < 6_000.0);
}
