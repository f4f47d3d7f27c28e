//! Linux and macOS.

use rustix::{
    fs::OFlags,
    net::sockopt,
    time::{ClockId, clock_gettime},
};
use std::{
    env,
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    net::TcpListener,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// The user with whose rights this process runs, as messages name it: by number.
pub(crate) fn user() -> String {
    rustix::process::geteuid().as_raw().to_string()
}

/// Name and number of the user who runs this process. The name is the environment's; the number is the kernel's.
pub(crate) fn local_user() -> String {
    let login = env::var("LOGNAME").or_else(|_| env::var("USER")).unwrap_or_default();
    let uid = rustix::process::getuid().as_raw();
    format!("{login} (uid {uid})").trim_start().to_owned()
}

/// Name of this machine.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The monotonic clock, ns.
pub(crate) fn monotonic_ns() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// Makes new files their owner's alone.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Opens a file for reading. Never a link, and it waits for nobody at the other end of a pipe.
///
/// # Errors
/// When it is a link, gone, or not readable.
pub(crate) fn open_no_link(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// Opens a file for appending, and makes it and its folder if there is none. All is its owner's alone. Never a link.
///
/// # Errors
/// When it is a link, or can't be written.
pub(crate) fn append_privately(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut options = OpenOptions::new();
    private(options.append(true).create(true)).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    let file = options.open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Sets the buffers of a listener, bytes. Its connections inherit them.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn set_buffers(listener: &TcpListener, send: usize, receive: usize) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size(listener, send)?;
    sockopt::set_socket_recv_buffer_size(listener, receive)?;
    Ok(())
}
