//! The first bytes of a message tell what a connection carries: TLS handshakes are no requests, and HTTP/2 sends more
//! than messages. No byte of it is kept.

/// Bytes that are looked at: a TLS record's header and its first byte (RFC 8446, 5.1), or an HTTP/2 frame's header
/// (RFC 9113, 4.1).
pub const HEAD: usize = 9;

/// Number of the kernel function in an instruction for which user space looks; see `kfunc`.
pub const KFUNC: [u8; 4] = *b"NWKF";
/// The same for the function that gives an address a type.
pub const CAST_KFUNC: [u8; 4] = *b"NWKC";

/// First bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Head(pub [u8; HEAD]);

/// Kinds of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A TLS record with a ClientHello or a ServerHello.
    TlsHello,
    /// Any other TLS record.
    Tls,
    /// The begin of HTTP/2 in clear text, from a client.
    Http2Preface,
    /// The first frame of HTTP/2 in clear text, from a server.
    Http2Settings,
    /// Anything else.
    Other,
}

/// `ContentType` of TLS: change_cipher_spec, and application_data.
const TLS_TYPES: [u8; 2] = [20, 23];
/// `ContentType` handshake.
const TLS_HANDSHAKE: u8 = 22;
/// `HandshakeType`: client_hello and server_hello.
const TLS_HELLOS: [u8; 2] = [1, 2];
/// Frame types of HTTP/2: DATA, HEADERS, SETTINGS, CONTINUATION.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

impl Head {
    /// Of a message that is shorter.
    pub const SHORT: Self = Self([0; HEAD]);

    /// The content that begins with these bytes.
    #[inline(always)]
    pub const fn content(&self) -> Content {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        if a >= TLS_TYPES[0] && a <= TLS_TYPES[1] && b == 3 && c <= 4 {
            let is_hello = a == TLS_HANDSHAKE && (f == TLS_HELLOS[0] || f == TLS_HELLOS[1]);
            return if is_hello { Content::TlsHello } else { Content::Tls };
        }
        if a == b'P' && b == b'R' && c == b'I' && d == b' ' && e == b'*' && f == b' ' && g == b'H' {
            return Content::Http2Preface;
        }
        // A frame of stream 0 whose length is a multiple of a setting's.
        let is_short = a == 0 && b == 0 && c % 6 == 0;
        if is_short && d == SETTINGS && e == 0 && f == 0 && g == 0 && h == 0 && i == 0 {
            return Content::Http2Settings;
        }
        Content::Other
    }

    /// Whether an HTTP/2 frame belongs to a request or an answer.
    #[inline(always)]
    pub const fn is_http2_message(&self) -> bool {
        matches!(self.0[3], DATA | HEADERS | CONTINUATION)
    }
}

#[cfg(test)]
mod tests;
