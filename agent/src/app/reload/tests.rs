use super::*;
use crate::{config::cli, tasks::Stop};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::{sync::mpsc, thread};

/// Nobody writes to the pipe, so that its reader hangs as on a mount whose server is gone.
#[test]
fn a_file_that_hangs_delays_no_other_task_and_no_stop() {
    let path = std::env::temp_dir().join(format!("netwhy-reload-{}", std::process::id()));
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let file = Some(ConfigFile::new(path.clone(), Vec::new()));
    let (sender, done) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let cli = cli::parse(&["netwhy-agent".into()], |_| None).unwrap();
            let (config, _config) = watch::channel(Arc::default());
            let (options, _options) = watch::channel(MetricsOptions::default());
            let (stop, stopped) = Stop::new();
            let task = tokio::spawn(
                Reload { cli, file, started: Arc::default(), config, options, counters: Arc::default() }.run(stopped),
            );
            tokio::time::sleep(INTERVAL + Duration::from_secs(1)).await;
            sender.send("another task").unwrap();
            stop.stop();
            task.await.unwrap().unwrap();
            sender.send("stop").unwrap();
        });
    });
    let seen = [(); 2].map(|()| done.recv_timeout(Duration::from_secs(20)));
    // Ends the read.
    let writer = rustix::fs::open(&path, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(seen, [Ok("another task"), Ok("stop")]);
    assert!(writer.is_ok(), "the file was being read");
}
