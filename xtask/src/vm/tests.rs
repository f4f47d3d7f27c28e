use super::*;

#[test]
fn only_test_programs_are_taken_from_cargos_messages() {
    let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"kernel_x\"},\
            \"profile\":{\"test\":true},\"executable\":\"/t/kernel_x-1\"}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"netwhy-traffic\"},\
            \"profile\":{\"test\":false},\"executable\":\"/t/traffic\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
    assert_eq!(executables(messages), [("kernel_x".to_owned(), PathBuf::from("/t/kernel_x-1"))]);
}
