//! A real browser for the tests of `kubectl netwhy ui`: Chromium, driven by Playwright.

use std::path::{Path, PathBuf};

/// The package on npm that drives the browser. It brings none.
pub const PACKAGE: &str = "playwright-core@1.65.1";
/// Names of the browser's program.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser and what drives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browser {
    /// Node.js.
    pub node: PathBuf,
    /// Folder of the package.
    pub driver: PathBuf,
    /// Chromium.
    pub chromium: PathBuf,
}

/// Where `cargo xtask` installs the package, below cargo's target folder.
pub fn folder(target: &Path) -> PathBuf {
    target.join("xtask/browser")
}

/// Finds browser and driver.
///
/// # Errors
/// The first that is missing.
pub fn find(target: &Path) -> Result<Browser, &'static str> {
    let driver = folder(target).join("node_modules/playwright-core");
    Ok(Browser {
        chromium: CHROMIUM.iter().find_map(|name| in_path(name)).ok_or("chromium")?,
        node: in_path("node").ok_or("nodejs")?,
        driver: Some(driver).filter(|driver| driver.join("index.mjs").is_file()).ok_or(PACKAGE)?,
    })
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
