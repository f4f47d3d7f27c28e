use super::*;

#[test]
fn steps_without_a_scrape_are_gaps() {
    let grid = Grid { from: 600, to: 1_210, step: 60 };
    assert_eq!(grid.last(), 1_200);
    let known: Vec<i64> = (600..=1_200).step_by(60).filter(|at| ![720, 780, 1_200].contains(at)).collect();
    assert_eq!(grid.gaps(&known), [(660, 780), (1_140, 1_200)]);
    assert_eq!(grid.gaps(&[]), [(540, 1_200)]);
}

#[test]
fn a_series_is_a_firing_of_its_names() {
    let text = |text: &str| text.to_owned();
    let labels = Labels {
        instance: text("10.0.0.1:9810"),
        cause: text("node_nic_drops"),
        blame_kind: text("node"),
        blame: text("a"),
        ..Labels::default()
    };
    let firing = of(&labels);
    assert_eq!((firing.subject.as_str(), firing.node.as_str()), ("node 10.0.0.1:9810", "10.0.0.1:9810"));
    let firing = of(&Labels { node: text("a"), ..labels });
    assert_eq!(
        (firing.subject, firing.culprit, firing.fingerprint.workload),
        (text("node a"), text("node a"), text("Node/a"))
    );
}
