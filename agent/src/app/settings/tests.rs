use super::*;

fn options(text: &str) -> MetricsOptions {
    metrics_options(&Config::parse(text, "test").unwrap())
}

#[test]
fn an_empty_file_gives_the_default_options() {
    assert_eq!(options(""), MetricsOptions::default());
}

#[test]
fn each_key_sets_its_own_option() {
    let default = MetricsOptions::default();
    assert_eq!(options("labels: {rtt_buckets: fine}\n"), MetricsOptions { fine_rtt: true, ..default });
    assert_eq!(options("labels: {workload: false}\n"), MetricsOptions { workload: false, ..default });
    assert_eq!(options("labels: {peer: false}\n"), MetricsOptions { peer: false, ..default });
    assert_eq!(options("labels: {semconv: true}\n"), MetricsOptions { semconv: true, ..default });
    assert_eq!(options("limits: {series: 2000}\n"), MetricsOptions { max_series: 2000, ..default });
}
