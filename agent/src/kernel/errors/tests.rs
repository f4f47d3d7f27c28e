use super::*;

#[test]
fn operations_are_counted_apart_and_tell_why_they_fail_now() {
    let mut errors = Errors::default();
    assert_eq!(errors.note(Operation::Walk, Ok(1)), Some(1));
    for _ in 0..3 {
        let failed = Err(anyhow::anyhow!("too many open files").context("open the iterator"));
        assert_eq!(errors.note::<u8>(Operation::Walk, failed), None);
    }
    errors.note::<u8>(Operation::Steer, Err(anyhow::anyhow!("no map")));
    assert_eq!(errors.why(Operation::Walk), Some("open the iterator: too many open files"));
    errors.note(Operation::Walk, Ok(()));
    assert_eq!((errors.why(Operation::Walk), errors.why(Operation::Steer)), (None, Some("no map")));
    let counts: Vec<(String, u64)> = errors.stats().into_iter().map(|e| (e.operation, e.count)).collect();
    assert_eq!(counts.len(), Operation::ALL.len(), "an operation without errors has a zero");
    assert_eq!(counts[0], ("walk".to_owned(), 3));
    assert_eq!(counts.iter().map(|(_, n)| n).sum::<u64>(), 4);
}
