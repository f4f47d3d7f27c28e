use super::*;

#[test]
fn in_ci_every_group_has_a_second_try_and_elsewhere_none() {
    let groups = groups(&sh::workspace().unwrap());
    assert!(groups.iter().any(|group| group.root) && groups.iter().any(|group| !group.root));
    for group in &groups {
        let tries_again = |strict| {
            let args = nextest(group, None, &Machine { root: true, nextest: true, strict });
            args.windows(2).any(|pair| pair == ["--retries", "1"])
        };
        assert_eq!((tries_again(true), tries_again(false)), (true, false), "{}", group.name);
    }
}
