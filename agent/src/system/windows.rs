//! Windows: the plugin alone. New files have the rights of their folder, which in a user's profile are the user's alone.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io,
    net::TcpListener,
    os::windows::fs::OpenOptionsExt as _,
    path::Path,
    sync::OnceLock,
    time::Instant,
};

/// `FILE_FLAG_OPEN_REPARSE_POINT` of CreateFileW: a link is opened itself, not what it leads to.
const OPEN_LINK: u32 = 0x0020_0000;

/// The user with whose rights this process runs, as messages name it.
pub(crate) fn user() -> String {
    env::var("USERNAME").unwrap_or_default()
}

/// Name of the user who runs this process.
pub(crate) fn local_user() -> String {
    user()
}

/// Name of this machine.
pub(crate) fn host_name() -> String {
    env::var("COMPUTERNAME").unwrap_or_default()
}

/// A monotonic clock, ns since it was read first.
pub(crate) fn monotonic_ns() -> i128 {
    static START: OnceLock<Instant> = OnceLock::new();
    i128::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(i128::MAX)
}

/// New files have the rights of their folder.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Opens a file for reading. Never a link.
///
/// # Errors
/// When it is a link, gone, or not readable.
pub(crate) fn open_no_link(path: &Path) -> io::Result<File> {
    no_link(OpenOptions::new().read(true).custom_flags(OPEN_LINK).open(path)?)
}

/// Opens a file for appending, and makes it and its folder if there is none. Never a link.
///
/// # Errors
/// When it is a link, or can't be written.
pub(crate) fn append_privately(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    no_link(OpenOptions::new().append(true).create(true).custom_flags(OPEN_LINK).open(path)?)
}

/// Leaves the buffers of a listener as the system has them: none of the agent's listeners is here.
///
/// # Errors
/// Never.
pub(crate) fn set_buffers(_listener: &TcpListener, _send: usize, _receive: usize) -> io::Result<()> {
    Ok(())
}

fn no_link(file: File) -> io::Result<File> {
    if file.metadata()?.file_type().is_symlink() {
        return Err(io::Error::other("it is a link"));
    }
    Ok(file)
}
