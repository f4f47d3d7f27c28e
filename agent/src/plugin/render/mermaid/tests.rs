use super::*;

#[test]
fn labels_are_escaped() {
    let mut chart = Chart::new("LR");
    let (a, b) = (chart.node("a \"b\" <c>\nd", Shape::Box), chart.node("x", Shape::Round));
    assert_eq!(chart.node("x", Shape::Round), b);
    chart.edge(a, b, "1 > 0");
    assert_eq!(
        &*chart.text(),
        "flowchart LR\n  n0[\"a &quot;b&quot; &lt;c&gt;<br>d\"]\n  n1(\"x\")\n  n0 -->|\"1 &gt; 0\"| n1\n"
    );
    assert!(Chart::new("TD").text().contains("nothing to show"));
}
