//! The running kernel, as loading and attaching need it.

use super::{offsets::Constants, settings::Settings};
use crate::btf::KernelTypes;
use aya::Btf;
use std::fs::File;

/// The running kernel and the settings.
pub(super) struct Context<'a> {
    /// Major and minor number.
    pub(super) version: (u32, u32),
    pub(super) btf: &'a Btf,
    pub(super) types: &'a KernelTypes,
    pub(super) constants: &'a Constants,
    /// Directory of the subtree. `None`: it can't be opened.
    pub(super) cgroup: Option<&'a File>,
    pub(super) settings: &'a Settings<'a>,
}
