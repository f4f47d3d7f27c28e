use super::*;

fn key(route: &str, status: u16) -> CallKey {
    CallKey { role: Role::Server, route: Arc::from(route), method: Some(Method::Get), status, code: None }
}

fn shown(sums: &CallSums) -> Vec<(String, String, u64)> {
    sums.rows().map(|(key, durations)| (key.route.to_string(), key.status_label(), durations.count())).collect()
}

#[test]
fn calls_of_one_kind_share_a_row() {
    let mut sums = CallSums::default();
    sums.add_call(key("/a", 200), 1_500, 20);
    sums.add_call(key("/a", 200), 2_500, 20);
    sums.add_call(key("/a", 503), 900, 20);
    assert_eq!(shown(&sums), [("/a".to_owned(), "200".to_owned(), 40), ("/a".to_owned(), "503".to_owned(), 20)]);
    assert_eq!(sums.count(Role::Server), (60, 20));
    assert_eq!(sums.count(Role::Client), (0, 0));
}

#[test]
fn routes_beyond_the_bound_share_a_row_for_each_class_of_status() {
    let mut sums = CallSums::default();
    for n in 0..1_000 {
        sums.add_call(key(&format!("/route-{n}"), 200 + n % 7 * 50), 1_000, 1);
    }
    let routes: BTreeSet<_> = sums.rows().map(|(key, _)| key.route.clone()).collect();
    assert_eq!(routes.len(), ROUTES + 1);
    assert!(sums.rows().count() <= ROWS + 9);
    assert_eq!(sums.count(Role::Server).0, 1_000, "none is lost");
    let other = sums.rows().find(|(key, _)| key.is_other() && key.status == 5).unwrap().0;
    assert_eq!((other.method_label(), other.status_label().as_str(), other.is_error()), (OTHER, "5xx", true));
}

#[test]
fn statuses_beyond_the_bound_share_a_row_too() {
    let mut sums = CallSums::default();
    for status in 200..1_000 {
        sums.add_call(key("/a", status), 1_000, 1);
    }
    assert_eq!(sums.rows().count(), ROWS + 8);
    assert_eq!(sums.count(Role::Server).0, 800);
}

#[test]
fn paths_that_do_not_exist_are_no_routes() {
    let mut sums = CallSums::default();
    sums.add_call(key("/wp-admin", 404), 1_000, 1);
    sums.add_call(key("/cart", 200), 1_000, 1);
    sums.add_call(key("/cart", 404), 1_000, 1);
    let shown: Vec<_> = shown(&sums).into_iter().map(|(route, status, _)| format!("{route} {status}")).collect();
    assert_eq!(shown, ["/cart 200", "/cart 404", "~other 4xx"]);
}

#[test]
fn sums_of_sums_keep_the_bound() {
    let of = |name: &str| {
        let mut sums = CallSums::default();
        (0..100).for_each(|n| sums.add_call(key(&format!("/{name}-{n}"), 200), 1_000, 1));
        sums
    };
    let mut all = of("a");
    all.add(&of("b"));
    assert!(all.rows().count() <= ROUTES + 1);
    assert_eq!(all.count(Role::Server).0, 200);
    all.subtract(&of("a"));
    assert!(all.count(Role::Server).0 >= 100);
}
