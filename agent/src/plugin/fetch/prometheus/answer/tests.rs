use super::*;
use http_body_util::Full;

const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"__name__":"x","node":"a","pod":"p"},"values":[[1767225600,"12.5"],[1767225660.5,"+Inf"]]}]}}"#;

#[test]
fn series_have_the_labels_of_use_and_their_samples() {
    let all = parse(MATRIX.as_bytes(), Wanted::Matrix).unwrap();
    let labels = Labels { node: "a".into(), pod: "p".into(), ..Labels::default() };
    let samples = vec![(1_767_225_600.0, 12.5), (1_767_225_660.5, f64::INFINITY)];
    assert_eq!(all, [Series { labels, samples }]);
    let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}}"#;
    assert!(parse(vector.as_bytes(), Wanted::Vector).unwrap()[0].samples[0].1.is_nan());
    assert_eq!((Labels { instance: "i".into(), ..Labels::default() }).place(), "i");
}

#[test]
fn what_is_no_answer_of_a_prometheus_is_refused() {
    let failure = |text: &str| parse(text.as_bytes(), Wanted::Vector).unwrap_err().to_string();
    assert!(failure(MATRIX).contains("not a vector"));
    assert!(failure("<html>").contains("check that --prometheus is the URL of a Prometheus"));
    assert!(failure("{}").contains("no answer of a Prometheus"));
    let refused = format!(r#"{{"status":"error","error":"{}"}}"#, "x".repeat(5_000));
    assert!(failure(&refused).starts_with("it refuses the query: xxx") && failure(&refused).len() < 400);
    let word = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"two"]}]}}"#;
    assert!(failure(word).contains("a sample is no number"));
}

#[test]
fn long_labels_are_cut_and_too_many_series_refused() {
    let text = MATRIX.replace("\"p\"", &format!("{:?}", "é".repeat(4_000)));
    assert_eq!(parse(text.as_bytes(), Wanted::Matrix).unwrap()[0].labels.pod.chars().count(), MAX_LABEL);
    let many = vec![r#"{"metric":{}}"#; MAX_SERIES + 1].join(",");
    let text = format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{many}]}}}}"#);
    let failure = parse(text.as_bytes(), Wanted::Matrix).unwrap_err().to_string();
    assert!(failure.contains("longer than 10000 series"), "{failure}");
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_refused() {
    let long = Full::new(Bytes::from(vec![b' '; MAX_BYTES + 1]));
    let failure = read(long, Wanted::Matrix).await.unwrap_err().to_string();
    assert!(failure.contains("longer than 8 MiB; name a namespace"), "{failure}");
    assert_eq!(read(Full::new(Bytes::from(MATRIX)), Wanted::Matrix).await.unwrap().len(), 1);
}
