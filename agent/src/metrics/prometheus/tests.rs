use super::*;

#[test]
fn counter_metadata_names_the_samples_and_openmetrics_lines_go() {
    let openmetrics = "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
            a_seconds_total{x=\"# TYPE \\n# b\"} 1\na_seconds_total 2\n# HELP g Now.\n# TYPE g gauge\ng 3\n# EOF\n";
    let text = "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\n\
            a_seconds_total{x=\"# TYPE \\n# b\"} 1\na_seconds_total 2\n# HELP g Now.\n# TYPE g gauge\ng 3\n";
    assert_eq!(from_openmetrics(openmetrics), text);
}
