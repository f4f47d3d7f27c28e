use super::*;
use std::{ffi::OsString, fs};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("netwhy-kubeconfig-{}-{name}", std::process::id()));
    fs::create_dir_all(folder.join("sub")).unwrap();
    folder
}

fn config(context: &str, server: &str, current: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Config, current-context: '{current}', \
         clusters: [{{name: c, cluster: {{server: '{server}', certificate-authority: ca.crt}}}}], \
         contexts: [{{name: {context}, context: {{cluster: c, user: u}}}}]}}"
    )
}

#[test]
fn the_first_of_several_files_wins_and_missing_ones_are_skipped() {
    let folder = folder("merge");
    let [one, two, missing] = ["sub/one", "two", "missing"].map(|name| folder.join(name));
    fs::write(&one, config("a", "https://one", "")).unwrap();
    fs::write(&two, config("b", "https://two", "b")).unwrap();
    let list = std::env::join_paths([&missing, &PathBuf::new(), &one, &two]).unwrap();
    let merged = read(None, Some(&list), None).unwrap().unwrap();
    let cluster = merged.clusters[0].cluster.as_ref().unwrap();
    assert_eq!((merged.clusters.len(), cluster.server.as_deref()), (1, Some("https://one")));
    assert_eq!(cluster.certificate_authority.as_deref(), folder.join("sub/ca.crt").to_str());
    assert_eq!(merged.current_context.as_deref(), Some("b"), "an empty name is none");
    assert_eq!(merged.contexts.iter().map(|context| context.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);

    assert!(read(None, Some(missing.as_os_str()), Some(folder.clone())).unwrap().is_none(), "as if it were empty");
    assert!(read(None, Some(&OsString::new()), None).unwrap().is_none());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_broken_file_and_a_missing_one_that_a_flag_names_are_told() {
    let folder = folder("broken");
    let broken = folder.join("broken");
    fs::write(&broken, "{").unwrap();
    for (flag, variable) in [(Some(broken.as_path()), None), (None, Some(broken.as_os_str()))] {
        let failure = read(flag, variable, None).unwrap_err().to_string();
        assert!(failure.contains("invalid kubeconfig") && failure.contains("broken"), "{failure}");
    }
    let failure = read(Some(&folder.join("missing")), None, None).unwrap_err().to_string();
    assert!(failure.contains("missing"), "{failure}");
    fs::remove_dir_all(folder).unwrap();
}
