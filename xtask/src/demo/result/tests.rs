use super::*;

#[test]
fn only_lines_that_show_the_fault_on_its_pod_are_kept() {
    let metrics = "# TYPE netwhy_hint gauge\n\
                       netwhy_tcp_loss_episodes_total{pod=\"web-a\",peer=\"external\"} 12\n\
                       netwhy_tcp_loss_episodes_total{pod=\"web-a\",peer=\"same_node\"} 0\n\
                       netwhy_tcp_loss_episodes_total{pod=\"web-c\",peer=\"external\"} 3\n\
                       netwhy_tcp_bytes_total{pod=\"web-a\"} 9\n\
                       netwhy_hint{pod=\"web-a\",cause=\"path_loss\"} 0.9\n";
    let lines = metric_lines(metrics, FaultKind::Loss, Some("web-a"));
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with(" 12") && lines[1].ends_with(" 0.9"));
}
