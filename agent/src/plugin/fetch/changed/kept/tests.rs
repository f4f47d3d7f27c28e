use super::*;
use crate::plugin::model::changed::Focus;

#[test]
fn an_answer_is_used_again_for_the_same_inquiry_and_half_a_minute() {
    let inquiry = |onset_ms| Inquiry { focus: Focus::new("Pod", "shop", "cart-1"), onset_ms };
    let (kept, now) = (Kept::default(), Instant::now());
    assert_eq!(kept.get(&inquiry(1), now), None);
    let answer = Changes { name: "cart-1".to_owned(), ..Changes::default() };
    kept.put(&inquiry(1), now, &answer);
    assert_eq!(kept.clone().get(&inquiry(1), now + Duration::from_secs(29)), Some(answer));
    assert_eq!(kept.get(&inquiry(1), now + AGE), None, "too old");
    assert_eq!(kept.get(&inquiry(2), now), None, "another onset");
}
