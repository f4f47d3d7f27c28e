use super::*;

fn files(bytes: &[(&str, &str)]) -> Vec<File> {
    bytes.iter().map(|(name, bytes)| File { name: (*name).to_owned(), bytes: bytes.as_bytes().to_vec() }).collect()
}

#[test]
fn files_that_differ_or_are_missing_are_named_once() {
    let one = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
    assert!(different(&one, &one).is_empty());
    assert_eq!(different(&one, &files(&[("a", "1"), ("b", "2"), ("d", "1")])), ["b", "c", "d"]);
}

#[test]
fn the_second_build_begins_in_an_empty_folder_and_its_difference_is_an_error() {
    let folder = std::env::temp_dir().join(format!("netwhy-again-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("old"), "").unwrap();
    let one = files(&[("a", "1")]);
    let build = |bytes: &'static str| {
        let one = one.clone();
        move |folder: &Path| {
            assert!(!folder.exists(), "what the first build left is gone");
            fs::create_dir_all(folder).unwrap();
            Ok(one.into_iter().map(|file| File { bytes: bytes.into(), ..file }).collect())
        }
    };
    let error = verify(&folder, &one, build("2")).unwrap_err().to_string();
    assert!(error.contains("other bytes of a;") && folder.exists(), "{error}");
    verify(&folder, &one, build("1")).unwrap();
    assert!(!folder.exists());
}
