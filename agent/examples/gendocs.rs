//! Writes the pages that are made from the code's own tables into a folder; `cargo xtask docs` runs it.

use std::{env, fs, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let Some(root) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: gendocs DIR");
        return ExitCode::from(64);
    };
    let mut files = match netwhy_agent::dashboards::files() {
        Ok(files) => files,
        Err(error) => {
            eprintln!("make the dashboards: {error}");
            return ExitCode::FAILURE;
        }
    };
    files.extend(netwhy_agent::config::docs::files().map(|(path, text)| (path.to_owned(), text)));
    files.push(("docs/metrics.md".to_owned(), netwhy_agent::metrics::metrics_md()));
    files.push(("docs/hints.md".to_owned(), netwhy_agent::hints::hints_md()));
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
