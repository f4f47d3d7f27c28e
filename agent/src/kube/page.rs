//! Bounds responses in bytes. Lists come in pages of so many objects, and an object may have up to 1.5 MiB.

use http_body_util::{LengthLimitError, Limited};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// Most bytes of one response, watches excepted. 250 Pods of 10 kB fit.
pub const MAX_PAGE_BYTES: u64 = 4 << 20;

/// A page that was too large is asked for again with this fraction of its objects.
const FRACTION: u32 = 4;

/// Objects per page, which adapts to their size. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct PageSize(Arc<AtomicU32>);

impl PageSize {
    /// At most this many objects.
    pub(crate) fn new(most: u32) -> Self {
        Self(Arc::new(AtomicU32::new(most.max(1))))
    }

    /// Objects of the next page.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks for fewer objects from now on. False: a page holds one object already.
    pub(crate) fn shrink(&self) -> bool {
        let before = self.get();
        self.0.store((before / FRACTION).max(1), Ordering::Relaxed);
        before > 1
    }
}

/// A body that fails when it is longer than a page may be. `is_watch`: it has no end.
pub(super) fn bounded<B>(body: B, is_watch: bool) -> Limited<B> {
    Limited::new(body, if is_watch { usize::MAX } else { MAX_PAGE_BYTES as usize })
}

/// Whether a request failed because its response was longer than a page may be.
pub(crate) fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<LengthLimitError>() {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests;
