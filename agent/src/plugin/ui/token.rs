//! The secret in the page's URL.

use super::super::Failure;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::hint::black_box;
use tokio_rustls::rustls::crypto::ring;

/// Random bytes of a token.
const BYTES: usize = 32;

/// A random text that can't be guessed. Not `Debug`, so that no message shows it.
pub(super) struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn random() -> Result<Self, Failure> {
        let mut bytes = [0; BYTES];
        let filled = ring::default_provider().secure_random.fill(&mut bytes);
        filled.map_err(|_| Failure::new("the system gives no random bytes", ""))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text, as it stands in the URL.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is this token. The time that it takes says nothing about the place of the first difference.
    pub(super) fn is(&self, text: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), text.as_bytes());
        own.len() == given.len() && own.iter().zip(given).fold(0, |sum, (a, b)| black_box(sum | (a ^ b))) == 0
    }
}

#[cfg(test)]
mod tests;
