//! Writes the pages that are made from the code's own tables into a folder; `cargo xtask docs` runs it.

use std::{env, fs, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let Some(root) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: gendocs DIR");
        return ExitCode::from(64);
    };
    let mut files = Vec::from(netwhy_agent::config::docs::files());
    files.push(("docs/metrics.md", netwhy_agent::metrics::metrics_md()));
    files.push(("docs/hints.md", netwhy_agent::hints::hints_md()));
    for (path, text) in files {
        let file = root.join(path);
        let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&file, text));
        if let Err(error) = written {
            eprintln!("write {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
