use super::*;

#[test]
fn answers_carry_the_question_its_id_and_one_address() {
    for (kind, length) in [(TYPE_A, 4), (TYPE_AAAA, 16)] {
        let query = query(0x1234, kind);
        let answer = answer(&query).unwrap();
        assert_eq!(answer[..2], [0x12, 0x34]);
        assert_eq!(answer[2] & 0x81, 0x81, "a response, recursion desired");
        assert_eq!(answer[3] & 0xf, 0, "NOERROR");
        assert_eq!(answer[4..8], [0, 1, 0, 1]);
        assert_eq!(answer[HEADER..query.len()], query[HEADER..]);
        assert_eq!(answer.len(), query.len() + 12 + length);
    }
}

#[test]
fn what_is_no_query_is_not_answered() {
    let good = query(7, TYPE_A);
    assert!(answer(&answer(&good).unwrap()).is_none(), "a response");
    for cut in 0..good.len() {
        assert!(answer(&good[..cut]).is_none(), "{cut}");
    }
}
