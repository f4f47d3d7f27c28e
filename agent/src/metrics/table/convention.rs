//! Metrics of a subject with the names of OpenTelemetry's semantic conventions, which `labels.semconv` adds.

use crate::metrics::{
    definition::{LabelDef, MetricDef, Rows::Subject, label},
    semconv,
};

const METHOD: LabelDef =
    label("http_request_method", "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE, _OTHER");
const STATUS: LabelDef =
    label("http_response_status_code", "as `status` of `netwhy_http_request_seconds`; absent for classes and unknown");
const SYSTEM: LabelDef = label("rpc_system_name", "grpc");
const FULL_METHOD: LabelDef =
    label("rpc_method", "`service`/`method` of `netwhy_grpc_call_seconds`, _OTHER; absent if it could not be decoded");
const CODE: LabelDef = label("rpc_status_code", "gRPC's 17 codes; absent if it could not be decoded");

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::histogram(
        "http_server_request_duration_seconds",
        "Duration of HTTP server requests, estimated from a sample.",
        Subject(semconv::http_server),
    )
    .details("`netwhy_http_request_seconds` with the role `server`.")
    .seconds()
    .labels(&[
        METHOD,
        label("http_route", "as `route` of `netwhy_http_request_seconds`; absent for ~other and unknown"),
        STATUS,
        label("error_type", "the status code from 500 on, _OTHER for the class 5xx"),
        label("url_scheme", "http"),
    ]),
    MetricDef::histogram(
        "http_client_request_duration_seconds",
        "Duration of HTTP client requests, estimated from a sample.",
        Subject(semconv::http_client),
    )
    .details("`netwhy_http_request_seconds` with the role `client`.")
    .seconds()
    .labels(&[
        METHOD,
        STATUS,
        label("error_type", "the status code from 400 on, _OTHER for the classes 4xx and 5xx"),
    ]),
    MetricDef::histogram(
        "rpc_server_call_duration_seconds",
        "Duration of incoming gRPC calls on followed connections.",
        Subject(semconv::rpc_server),
    )
    .details("`netwhy_grpc_call_seconds` with the role `server`.")
    .seconds()
    .labels(&[
        SYSTEM,
        FULL_METHOD,
        CODE,
        label("error_type", "UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS"),
    ]),
    MetricDef::histogram(
        "rpc_client_call_duration_seconds",
        "Duration of outgoing gRPC calls on followed connections.",
        Subject(semconv::rpc_client),
    )
    .details("`netwhy_grpc_call_seconds` with the role `client`.")
    .seconds()
    .labels(&[SYSTEM, FULL_METHOD, CODE, label("error_type", "the code, unless it is OK")]),
];
