//! Completes calls of kernel functions in the object, before it is loaded.
//!
//! The programs hold such a call with a mark in place of the function's number, which is of the running kernel's BTF.

/// `BPF_JMP | BPF_CALL` with the source register `BPF_PSEUDO_KFUNC_CALL`, and no offset.
const CALL: [u8; 4] = [0x85, 0x20, 0, 0];
/// `r0 = -1`: what a kernel without the function runs.
const FAIL: [u8; 8] = [0xb7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

/// The call of a kernel function, from the number of its type.
pub(super) fn call(function: u32) -> [u8; 8] {
    let mut call = [0; 8];
    call[..4].copy_from_slice(&CALL);
    call[4..].copy_from_slice(&function.to_le_bytes());
    call
}

/// A copy of an object whose calls with this mark lead to `function`. `None`: they fail.
pub(super) fn complete(object: &[u8], mark: [u8; 4], function: Option<u32>) -> Vec<u8> {
    let mut object = object.to_vec();
    let marked = [CALL, mark].concat();
    let call = function.map_or(FAIL, call);
    let mut at = 0;
    while let Some(next) = object[at..].windows(marked.len()).position(|bytes| bytes == marked) {
        object[at + next..at + next + call.len()].copy_from_slice(&call);
        at += next + call.len();
    }
    object
}

#[cfg(test)]
mod tests;
