//! A process with the credentials of a running agent, as somebody has them who took it over. It tries to harm others and
//! reports each attempt as JSON: `null` if it worked, else the kernel's refusal.
//!
//! ```text
//! taken_over before|after NAME=PID…
//! ```
//! `before`: with the rights that it was started with. `after`: after the agent's own way of dropping them.

use netwhy_agent::privileges;
use serde_json::{Map, Value, json};
use std::{fs, io, os::fd::AsRawFd as _, path::Path};

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (when, victims) =
        args.split_first().ok_or_else(|| anyhow::anyhow!("usage: taken_over before|after NAME=PID…"))?;
    let privileges = match when.as_str() {
        "after" => Some(privileges::give_up(Path::new("/proc"), None, || Ok(()))?),
        _ => None,
    };
    let mut report = Map::from_iter([("privileges".to_owned(), json!(privileges))]);
    for victim in victims {
        let (name, pid) = victim.split_once('=').ok_or_else(|| anyhow::anyhow!("{victim}: NAME=PID"))?;
        report.insert(name.to_owned(), against(pid.parse()?));
    }
    report.insert("machine".to_owned(), against_the_machine());
    println!("{}", Value::from(report));
    Ok(())
}

fn outcome(result: io::Result<()>) -> Value {
    result.map_or_else(|error| json!(error.to_string()), |()| Value::Null)
}

fn checked(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn against(pid: i32) -> Value {
    let of = |file: &str| format!("/proc/{pid}/{file}");
    // SAFETY: signal 0 only tests the permission.
    let kill = checked(unsafe { libc::kill(pid, 0) }.into());
    // SAFETY: takes no pointer. The process is released below.
    let ptrace = checked(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) });
    if ptrace.is_ok() {
        // SAFETY: stops the process, so that it can be released.
        unsafe {
            libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
            libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0);
        }
    }
    let setns = || {
        let file = fs::File::open(of("ns/net"))?;
        // SAFETY: takes no pointer.
        checked(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }.into())
    };
    json!({
        "kill": outcome(kill),
        "ptrace": outcome(ptrace),
        "environ": outcome(fs::read(of("environ")).map(drop)),
        "memory": outcome(fs::File::open(of("mem")).map(drop)),
        "root": outcome(fs::read_dir(of("root/")).map(drop)),
        "descriptor": outcome(fs::read_link(of("fd/0")).map(drop)),
        "setns": outcome(setns()),
    })
}

/// Loads a program of two instructions that returns 0: a socket filter, or a tracing program of another kind.
fn load(kind: u32) -> io::Result<()> {
    const BPF_PROG_LOAD: libc::c_int = 5;
    let program: [u64; 2] = [0xb7, 0x95];
    let license = c"GPL";
    let mut attr = [0u64; 16];
    attr[0] = u64::from(kind) | 2 << 32;
    attr[1] = program.as_ptr() as u64;
    attr[2] = license.as_ptr() as u64;
    // SAFETY: the attributes name two live instructions and a live text.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, attr.as_ptr(), size_of_val(&attr)) };
    checked(result)?;
    // SAFETY: the kernel just made this descriptor.
    unsafe { libc::close(result as i32) };
    Ok(())
}

fn create_map() -> io::Result<()> {
    const BPF_MAP_CREATE: libc::c_int = 0;
    // An array with one value of 8 bytes.
    let mut attr = [0u32; 32];
    attr[..4].copy_from_slice(&[2, 4, 8, 1]);
    // SAFETY: the attributes hold no pointer.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, attr.as_ptr(), size_of_val(&attr)) };
    checked(result)?;
    // SAFETY: the kernel just made this descriptor.
    unsafe { libc::close(result as i32) };
    Ok(())
}

fn against_the_machine() -> Value {
    const SOCKET_FILTER: u32 = 1;
    const RAW_TRACEPOINT: u32 = 17;
    let mount = || {
        // SAFETY: takes no pointer. The mount below stays in a namespace of this process.
        checked(unsafe { libc::unshare(libc::CLONE_NEWNS) }.into())?;
        let (none, root, target, kind) = (c"none".as_ptr(), c"/".as_ptr(), c"/mnt".as_ptr(), c"tmpfs".as_ptr());
        let private = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: the texts are static.
        checked(unsafe { libc::mount(none, root, std::ptr::null(), private, std::ptr::null()) }.into())?;
        // SAFETY: the texts are static.
        checked(unsafe { libc::mount(none, target, kind, 0, std::ptr::null()) }.into())
    };
    // There every user has all capabilities.
    let user_namespace = || {
        // SAFETY: takes no pointer.
        checked(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) }.into())?;
        // SAFETY: the texts are static. The mount stays in the namespace.
        checked(
            unsafe { libc::mount(c"none".as_ptr(), c"/mnt".as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null()) }.into(),
        )
    };
    // Without a namespace of its own, where it changes nothing: the mount is there already.
    let remount = || {
        // SAFETY: the texts are static.
        let result = unsafe {
            libc::mount(c"none".as_ptr(), c"/proc".as_ptr(), std::ptr::null(), libc::MS_PRIVATE, std::ptr::null())
        };
        checked(result.into())
    };
    // SAFETY: takes no pointer.
    let setuid = || checked(unsafe { libc::setresuid(0, 0, 0) }.into());
    let write = |path: &str| fs::File::options().write(true).open(path).map(drop);
    let create = || {
        let path = std::env::temp_dir().join(format!("netwhy-taken-over-{}", std::process::id()));
        fs::write(&path, "x")?;
        fs::remove_file(&path)
    };
    json!({
        "bpf program": outcome(load(SOCKET_FILTER)),
        "bpf tracing": outcome(load(RAW_TRACEPOINT)),
        "bpf map": outcome(create_map()),
        "mount": outcome(mount()),
        "change a mount": outcome(remount()),
        "shadow": outcome(fs::read("/etc/shadow").map(drop)),
        "core_pattern": outcome(write("/proc/sys/kernel/core_pattern")),
        "create a file": outcome(create()),
        "setuid 0": outcome(setuid()),
        // The last, because it changes this process.
        "mount in a user namespace": outcome(user_namespace()),
    })
}
