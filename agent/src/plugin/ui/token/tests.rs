use super::*;
use std::collections::BTreeSet;

#[test]
fn a_token_is_random_and_fits_into_a_url() {
    let all: BTreeSet<String> = (0..100).map(|_| Token::random().unwrap().as_str().to_owned()).collect();
    assert_eq!(all.len(), 100);
    for token in all {
        assert_eq!(token.len(), 43, "{token}");
        assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{token}");
    }
}

#[test]
fn only_the_whole_token_is_it() {
    let token = Token::random().unwrap();
    let text = token.as_str().to_owned();
    assert!(token.is(&text));
    for wrong in
        [&text[1..], &text[..42], "", &format!("{text}A"), &text.to_ascii_uppercase(), &text.replace(&text[..1], "~")]
    {
        assert!(!token.is(wrong), "{wrong}");
    }
}
