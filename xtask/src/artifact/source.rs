//! Revision and time of the sources.

use crate::sh;
use anyhow::{Context as _, Result};
use std::{env, path::Path, process::Command};

/// The sources' time and commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Every time in what is made, s since 1970: `SOURCE_DATE_EPOCH`, else that of the last commit, else 0.
    pub(crate) seconds: u64,
    /// The commit. `None`: the sources are no commit's.
    pub(crate) revision: Option<String>,
}

impl Origin {
    /// Of the sources in this folder.
    pub(crate) fn of(workspace: &Path) -> Result<Self> {
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            command.current_dir(workspace).args(args);
            sh::output(&mut command).ok().map(|text| text.trim().to_owned())
        };
        let seconds = match env::var("SOURCE_DATE_EPOCH").ok().filter(|text| !text.is_empty()) {
            Some(text) => text
                .parse()
                .with_context(|| format!("read SOURCE_DATE_EPOCH={text}: give seconds since 1970, or unset it"))?,
            None => git(&["log", "-1", "--format=%ct"]).and_then(|text| text.parse().ok()).unwrap_or(0),
        };
        let clean = git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty());
        let revision = git(&["rev-parse", "HEAD"]).filter(|_| clean);
        Ok(Self { seconds, revision })
    }

    /// The time as RFC 3339 has it.
    pub(crate) fn created(&self) -> Result<String> {
        let time = i64::try_from(self.seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        Ok(time.with_context(|| format!("write {} s since 1970 as a date", self.seconds))?.to_string())
    }
}
