//! User and group of the whole process. The C library changes them on all threads; the system calls change only one.

use std::io;

/// Becomes this user and group, with no supplementary groups, on every thread. Threads that keep no capabilities lose
/// them, as the kernel does for a process that leaves user 0 (capabilities(7)).
///
/// # Errors
/// The kernel's refusal. It needs the capabilities SETUID and SETGID, and a user namespace that knows the ids.
pub fn become_user(user: u32, group: u32) -> io::Result<()> {
    // SAFETY: no groups, so the pointer is never read.
    done(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: takes no pointer.
    done(unsafe { libc::setresgid(group, group, group) })?;
    // SAFETY: takes no pointer.
    done(unsafe { libc::setresuid(user, user, user) })
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
