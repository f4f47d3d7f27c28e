//! Status codes of gRPC.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($number:literal $name:ident = $label:literal,)+) => {
        /// How a call of gRPC ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $label] #[serde(rename = $label)] $name,)+
            /// The answer has no data, as those of most failed calls. Its code could not be decoded.
            #[serde(rename = "trailers_only")]
            TrailersOnly,
            /// The code could not be decoded.
            #[serde(rename = "undecoded")]
            Undecoded,
        }

        impl Code {
            /// All that a server can send.
            pub const SENT: [Self; 17] = [$(Self::$name,)+];

            /// Name in labels: that of the specification, or what is known instead.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                    Self::TrailersOnly => "trailers_only",
                    Self::Undecoded => "undecoded",
                }
            }

            /// The code with a number. Those that the specification doesn't know are [`Unknown`](Self::Unknown).
            pub const fn of(number: u16) -> Self {
                match number { $($number => Self::$name,)+ _ => Self::Unknown }
            }
        }
    };
}

codes! {
    0 Ok = "OK",
    1 Cancelled = "CANCELLED",
    2 Unknown = "UNKNOWN",
    3 InvalidArgument = "INVALID_ARGUMENT",
    4 DeadlineExceeded = "DEADLINE_EXCEEDED",
    5 NotFound = "NOT_FOUND",
    6 AlreadyExists = "ALREADY_EXISTS",
    7 PermissionDenied = "PERMISSION_DENIED",
    8 ResourceExhausted = "RESOURCE_EXHAUSTED",
    9 FailedPrecondition = "FAILED_PRECONDITION",
    10 Aborted = "ABORTED",
    11 OutOfRange = "OUT_OF_RANGE",
    12 Unimplemented = "UNIMPLEMENTED",
    13 Internal = "INTERNAL",
    14 Unavailable = "UNAVAILABLE",
    15 DataLoss = "DATA_LOSS",
    16 Unauthenticated = "UNAUTHENTICATED",
}

impl Code {
    /// Whether the server failed, as OpenTelemetry's conventions for servers say. The others say that the client or its
    /// request did. `None`: not known.
    pub const fn is_error(self) -> Option<bool> {
        match self {
            Self::TrailersOnly | Self::Undecoded => None,
            Self::Unknown
            | Self::DeadlineExceeded
            | Self::Unimplemented
            | Self::Internal
            | Self::Unavailable
            | Self::DataLoss => Some(true),
            _ => Some(false),
        }
    }

    /// Of an answer that says no code, by its status of HTTP (gRPC's `http-grpc-status-mapping`).
    pub(super) const fn of_http(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// Of a stream that was reset, by the error code of HTTP/2 (gRPC's `PROTOCOL-HTTP2`, Errors).
    pub(super) const fn of_reset(code: u32) -> Self {
        match code {
            7 => Self::Unavailable,
            8 => Self::Cancelled,
            11 => Self::ResourceExhausted,
            12 => Self::PermissionDenied,
            0..=4 | 6 | 9 | 10 => Self::Internal,
            _ => Self::Unknown,
        }
    }
}
