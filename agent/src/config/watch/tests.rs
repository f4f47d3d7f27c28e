use super::*;
use std::{fs, time::Duration};

#[test]
fn each_state_of_the_file_is_reported_once() {
    let path = std::env::temp_dir().join(format!("netwhy-config-{}.yaml", std::process::id()));
    let first = "limits:\n  gone_seconds: 60\n";
    fs::write(&path, first).unwrap();
    let mut file = ConfigFile::new(path.clone(), first.as_bytes().to_vec());
    assert!(file.changed().is_none(), "as it was read");

    fs::write(&path, "limits:\n  gone_seconds: 30\n").unwrap();
    let config = file.changed().unwrap().unwrap();
    assert_eq!(config.limits.gone_seconds(), Duration::from_secs(30));
    assert!(file.changed().is_none());

    fs::write(&path, "limits:\n  gone_seconds: soon\n").unwrap();
    assert!(file.changed().unwrap().unwrap_err().contains("limits.gone_seconds"));
    assert!(file.changed().is_none(), "a mistake is reported once");

    fs::remove_file(&path).unwrap();
    assert!(file.changed().unwrap().unwrap_err().starts_with("read "));
    assert!(file.changed().is_none());
}
