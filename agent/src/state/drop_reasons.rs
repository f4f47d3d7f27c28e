//! Names of the kernel's drop reasons, as labels and JSON keys have them.

use std::borrow::Cow;

/// Names of the kernel's drop reasons.
pub struct DropReasons(Vec<String>);

impl DropReasons {
    /// From the kernel's names; index = number.
    pub fn new(kernel: &[String]) -> Self {
        let short = |name: &String| name.strip_prefix("SKB_DROP_REASON_").unwrap_or(name).to_ascii_lowercase();
        Self(kernel.iter().map(short).collect())
    }

    /// `no_socket`, or the number where the name is unknown.
    pub fn name(&self, reason: u32) -> Cow<'_, str> {
        let known = usize::try_from(reason).ok().and_then(|i| self.0.get(i)).filter(|name| !name.is_empty());
        known.map_or_else(|| Cow::Owned(reason.to_string()), |name| Cow::Borrowed(name.as_str()))
    }
}

#[cfg(test)]
mod tests;
