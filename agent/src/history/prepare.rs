//! The folder, before the agent gives up its rights.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::{DirBuilderExt as _, chown},
    path::Path,
};

/// Makes the folder. A root process hands it to the user and group of this number, which it becomes; where it may not,
/// others must have done so, as Kubernetes does for an emptyDir. Whether the folder can be written, the recorder finds.
pub fn prepare(folder: &Path, user: u32) {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let is_root = rustix::process::geteuid().is_root();
    let handed = made.and_then(|()| if is_root { chown(folder, Some(user), Some(user)) } else { Ok(()) });
    match handed {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::debug!(folder = %folder.display(), %error, "the history's folder keeps its owner");
        }
        Err(error) => tracing::warn!(folder = %folder.display(), %error, "can't make the history's folder"),
    }
}

/// Whether this process can write there, without a change of what is there.
///
/// # Errors
/// When it can't.
pub fn check(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".netwhy-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(probe)
}
