use super::*;

#[test]
fn one_wild_value_does_not_move_the_median() {
    let spread = Spread::of(&[1.0, 1.1, 0.9, 1.0, 100.0]).unwrap();
    assert_eq!(spread.figure, 1.0);
    assert_eq!(Spread::of(&[1.0, 3.0]).unwrap().figure, 2.0);
    assert_eq!(Spread::of(&[]), None);
    assert_eq!(Spread::of_json(&spread.json()), Some(spread));
}

#[test]
fn a_mean_has_the_wild_value_and_an_interval_that_says_so() {
    let mean = Spread::of_mean(&[1.0, 1.0, 1.0, 1.0, 1.0, 13.0]).unwrap();
    assert_eq!((mean.figure, mean.n), (3.0, 6));
    assert!(mean.low == 1.0 && mean.high > 5.0, "{mean:?}");
    assert_eq!(Spread::of_mean(&[]), None);
}

#[test]
fn the_interval_holds_the_median_and_narrows_with_more_values() {
    let few: Vec<f64> = (0..5).map(f64::from).collect();
    let many: Vec<f64> = (0..500).map(|i| f64::from(i % 5)).collect();
    let (few, many) = (Spread::of(&few).unwrap(), Spread::of(&many).unwrap());
    assert!(few.low <= few.figure && few.figure <= few.high);
    assert!(many.high - many.low < few.high - few.low, "{few:?} {many:?}");
}
