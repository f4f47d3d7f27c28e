use super::*;

#[test]
fn both_runners_are_counted() {
    let cargo =
        "test result: ok. 9 passed; 0 failed; 0 ignored\n…\ntest result: FAILED. 5 passed; 1 failed; 0 ignored\n";
    assert_eq!(counts(cargo), Counts { passed: 14, failed: 1 });
    let nextest = "    test result: ok. 1 passed; 0 failed\n     \
            Summary [   0.011s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped\n";
    assert_eq!(counts(nextest), Counts { passed: 10, failed: 2 });
    assert_eq!(counts("error: could not compile"), Counts::default());
}

#[test]
fn skips_are_found_among_the_runners_own_lines_and_judged_by_their_reason() {
    let text = "        SKIP [         ] netwhy-tests lab\n    SKIP machine: no netem\n\
            SKIP x: machine: no BTF\nSKIP later\n";
    let found = skips(text);
    assert_eq!(found.iter().map(Skip::excused).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn what_passed_only_when_tried_again_is_told_with_its_first_try() {
    let text = "  PASS [   0.009s] (1/2) fl fine\n  TRY 1 FAIL [   0.138s] (───) fl once\n    SKIP a part\n  \
                    TRY 2 PASS [   0.009s] (2/2) fl once\n   SKIP a part\n     \
                    Summary [   0.151s] 2 tests run: 2 passed (1 \
                    flaky), 0 skipped\n   FLAKY 2/2 [   0.009s] (2/2) fl once\n";
    assert_eq!(flaky(text), ["fl once"]);
    let (first, rest) = first_tries(text);
    assert_eq!(first, "  TRY 1 FAIL [   0.138s] (───) fl once\n    SKIP a part\n");
    assert_eq!((skips(text).len(), skips(&rest).len()), (2, 1), "each test is counted once");
    assert_eq!(counts(text), Counts { passed: 2, failed: 0 });
}
