//! The kubeconfig: one file, or several that are merged.

use super::super::Failure;
use crate::kube::one_line;
use kube::config::{Kubeconfig, KubeconfigError};
use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

/// Reads the file of `--kubeconfig`, else those of `$KUBECONFIG`, else the one in the home folder. `None`: there is
/// none. As with kubectl, the first file that sets a value wins, and missing files are skipped.
///
/// # Errors
/// A file that can't be read, or the missing file of `--kubeconfig`.
pub(in super::super) fn read(
    flag: Option<&Path>,
    variable: Option<&OsStr>,
    home: Option<PathBuf>,
) -> Result<Option<Kubeconfig>, Failure> {
    if let Some(file) = flag {
        return Kubeconfig::read_from(file).map(Some).map_err(|error| invalid(file, &error));
    }
    let named: Vec<PathBuf> = match variable {
        Some(list) => std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => Vec::new(),
    };
    let files = match (named.is_empty(), home) {
        (false, _) => named,
        (true, Some(home)) => vec![home.join(".kube/config")],
        (true, None) => Vec::new(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for file in files {
        let mut next = match Kubeconfig::read_from(&file) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(invalid(&file, &error)),
        };
        // An empty name is none. kube's merge would keep it.
        next.current_context = next.current_context.filter(|name| !name.is_empty());
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).map_err(|error| invalid(&file, &error))?,
        });
    }
    Ok(merged)
}

fn invalid(file: &Path, error: &KubeconfigError) -> Failure {
    let what = format!("{}: invalid kubeconfig: {}", file.display(), one_line(error));
    Failure::new(what, "check it with `kubectl config view`")
}

#[cfg(test)]
mod tests;
