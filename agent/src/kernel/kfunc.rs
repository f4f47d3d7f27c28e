//! Completes calls of kernel functions in the object, before it is loaded.
//!
//! The programs hold such a call with a mark in place of the function's number, which is of the running kernel's BTF.

use netwhy_abi::content::KFUNC;

/// `BPF_JMP | BPF_CALL` with the source register `BPF_PSEUDO_KFUNC_CALL`, and no offset.
const CALL: [u8; 4] = [0x85, 0x20, 0, 0];
/// `r0 = -1`: what a kernel without the function runs.
const FAIL: [u8; 8] = [0xb7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

/// A copy of an object whose marked calls lead to `function`. `None`: they fail.
pub(super) fn complete(object: &[u8], function: Option<u32>) -> Vec<u8> {
    let mut object = object.to_vec();
    let marked = [CALL, KFUNC].concat();
    let call = function.map_or(FAIL, |id| {
        let mut call = [0; 8];
        call[..4].copy_from_slice(&CALL);
        call[4..].copy_from_slice(&id.to_le_bytes());
        call
    });
    let mut at = 0;
    while let Some(next) = object[at..].windows(marked.len()).position(|bytes| bytes == marked) {
        object[at + next..at + next + call.len()].copy_from_slice(&call);
        at += next + call.len();
    }
    object
}

#[cfg(test)]
mod tests;
