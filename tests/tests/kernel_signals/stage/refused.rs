//! Whether this kernel lets a walk over descriptors use their sockets, asked with a program of the tests' own. The agent
//! may be wrong, and no release tells: builds of 6.18.44 differ.

use netwhy_agent::btf::KernelTypes;
use std::{io, path::Path, sync::OnceLock};

/// `BPF_PROG_LOAD`.
const LOAD: libc::c_int = 5;
/// `BPF_PROG_TYPE_TRACING`, with `BPF_TRACE_ITER`.
const TRACING: u32 = 26;
const ITERATOR: u32 = 28;
/// Helpers.
const SOCK_FROM_FILE: i32 = 162;
const SKC_TO_TCP_SOCK: i32 = 137;
/// `bpf_iter__task_file.file`.
const FILE: u32 = 24;

/// `union bpf_attr` of a load, until `attach_btf_id`.
#[repr(C)]
#[derive(Default)]
struct Attr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    /// Log, version, flags, name and interface.
    unused: [u32; 11],
    expected_attach_type: u32,
    /// Types and lines of the program.
    untyped: [u32; 9],
    attach_btf_id: u32,
}

const _: () = assert!(size_of::<Attr>() == 112 && std::mem::offset_of!(Attr, expected_attach_type) == 68);

/// One instruction: its code, its registers, offset and constant.
fn instruction(code: u8, (to, from): (u8, u8), offset: u32, constant: i32) -> u64 {
    u64::from(code) | u64::from(to | from << 4) << 8 | u64::from(offset as u16) << 16 | u64::from(constant as u32) << 32
}

/// `bpf_skc_to_tcp_sock(bpf_sock_from_file(file)->sk)`.
fn program(sk: u32) -> [u64; 9] {
    const LOAD_WORD: u8 = 0x79;
    const JUMP_IF_ZERO: u8 = 0x15;
    const CALL: u8 = 0x85;
    [
        instruction(LOAD_WORD, (1, 1), FILE, 0),
        instruction(JUMP_IF_ZERO, (1, 0), 5, 0),
        instruction(CALL, (0, 0), 0, SOCK_FROM_FILE),
        instruction(JUMP_IF_ZERO, (0, 0), 3, 0),
        instruction(LOAD_WORD, (1, 0), sk, 0),
        instruction(JUMP_IF_ZERO, (1, 0), 1, 0),
        instruction(CALL, (0, 0), 0, SKC_TO_TCP_SOCK),
        instruction(0xb7, (0, 0), 0, 0),
        instruction(0x95, (0, 0), 0, 0),
    ]
}

/// Asks the kernel once.
pub(super) fn walks_are_refused() -> bool {
    static REFUSED: OnceLock<bool> = OnceLock::new();
    *REFUSED.get_or_init(|| {
        let types = KernelTypes::read(Path::new(super::SYSFS)).unwrap();
        let program = program(types.offset("socket.sk").unwrap().byte());
        let attr = Attr {
            prog_type: TRACING,
            insn_cnt: program.len() as u32,
            insns: program.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            expected_attach_type: ITERATOR,
            attach_btf_id: types.function("bpf_iter_task_file").unwrap(),
            ..Attr::default()
        };
        // SAFETY: the attributes and what they point to outlive the call, which only reads them.
        let loaded = unsafe { libc::syscall(libc::SYS_bpf, LOAD, &raw const attr, size_of::<Attr>()) };
        if loaded >= 0 {
            // SAFETY: the kernel has just given this descriptor.
            unsafe { libc::close(loaded as i32) };
            return false;
        }
        let error = io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES), "{error}");
        true
    })
}
