use super::*;

/// As Prometheus asks with native histograms.
const NATIVE: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
    application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
    text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// The same of version 3: the best quality is not 1.
const NATIVE_3: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;\
    q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
    text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
/// As it asks without.
const CLASSIC: &str = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
    q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";

#[test]
fn scrapers_get_what_they_ask_for() {
    assert_eq!(Format::from_accept(Some(NATIVE)), Format::Protobuf);
    assert_eq!(Format::from_accept(Some(NATIVE_3)), Format::Protobuf);
    assert_eq!(Format::from_accept(Some(CLASSIC)), Format::OpenMetrics);
    assert_eq!(Format::from_accept(Some("Application/OpenMetrics-Text")), Format::OpenMetrics);
    for accept in [None, Some("*/*"), Some("text/*"), Some("text/plain;version=0.0.4"), Some("")] {
        assert_eq!(Format::from_accept(accept), Format::Prometheus, "{accept:?}");
    }
}

#[test]
fn quality_decides_before_content() {
    let protobuf = "application/vnd.google.protobuf; proto=\"io.prometheus.client.MetricFamily\"; encoding=delimited";
    for (accept, format) in [
        (format!("{protobuf};q=0.2, text/plain;q=0.3"), Format::Prometheus),
        (format!("{protobuf};q=0.2, application/openmetrics-text;q=0.21"), Format::OpenMetrics),
        (format!("text/plain, application/openmetrics-text, {protobuf}"), Format::Protobuf),
        (format!("{protobuf}; Q=0.0, text/plain;q=0.1"), Format::Prometheus),
        (format!("{protobuf};q=much, application/openmetrics-text;q=0.1"), Format::OpenMetrics),
        (format!("{protobuf};q=NaN"), Format::Prometheus),
        (format!("{protobuf};q=0"), Format::Prometheus),
    ] {
        assert_eq!(Format::from_accept(Some(&accept)), format, "{accept}");
    }
}

#[test]
fn other_messages_and_encodings_of_protobuf_are_not_answered_with_it() {
    for parameters in [
        "",
        ";proto=io.prometheus.client.MetricFamily",
        ";encoding=delimited",
        ";proto=io.prometheus.client.MetricFamily;encoding=text",
        ";proto=io.prometheus.client.MetricFamily;encoding=compact-text",
        ";proto=io.prometheus.write.v2.Request;encoding=delimited",
    ] {
        let accept = format!("application/vnd.google.protobuf{parameters},application/openmetrics-text;q=0.1");
        assert_eq!(Format::from_accept(Some(&accept)), Format::OpenMetrics, "{accept}");
    }
}

#[test]
fn answer_names_the_type_that_was_asked_for() {
    for format in [Format::Prometheus, Format::OpenMetrics, Format::Protobuf] {
        assert_eq!(Format::from_accept(Some(format.content_type())), format);
    }
}
