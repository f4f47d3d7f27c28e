use super::{
    super::{draw::draw, merged::Answer, score::Spoken},
    *,
};

fn case(hints: &[f64]) -> Case {
    let spoken = |first: &f64| Spoken {
        agent: "a".into(),
        subject: "web-a".into(),
        first: *first,
        last: 30.0,
        said: Answer::nothing(),
    };
    let (voting, robust_z) = (Vec::new(), Vec::new());
    Case {
        plan: draw(7, 2),
        truth: None,
        bite: None,
        victims: Vec::new(),
        severities: Vec::new(),
        answers: Vec::new(),
        spoken: hints.iter().map(spoken).collect(),
        cpu_wait: None,
        rivals: Some(Given { table: "/tables/7-2.csv".into(), onset: 100.5, voting, robust_z }),
    }
}

#[test]
fn our_onset_is_the_first_hint_and_missing_where_none_came_in_time() {
    let onsets = |hints: &[f64]| order(&case(hints)).unwrap()["onsets"].clone();
    assert_eq!(onsets(&[9.0, 4.0]), value!({ "given": 100.5, "netwhy": 104.5 }));
    for late in [Vec::new(), vec![29.5]] {
        assert_eq!(onsets(&late), value!({ "given": 100.5, "netwhy": null }), "{late:?}");
    }
    assert_eq!(order(&case(&[])).unwrap()["case"], "7-2");
}

#[test]
fn a_case_without_a_table_is_not_ranked() {
    let mut case = case(&[]);
    case.rivals = None;
    assert_eq!(order(&case), None);
}
