use super::*;

#[test]
fn rules_ascend_and_families_keep_their_order() {
    for pair in RULES.windows(2) {
        assert!(pair[0].order < pair[1].order, "{} before {}", pair[0].id, pair[1].id);
        assert!(pair[0].family <= pair[1].family, "{} before {}", pair[0].id, pair[1].id);
    }
}

#[test]
fn causes_are_rules_and_form_no_circle() {
    for rule in RULES {
        for cause in rule.caused_by.iter().chain(rule.caused_by_at_peer) {
            assert!(RULES.iter().any(|other| other.id == *cause), "{}: {cause} is no rule", rule.id);
        }
    }
    fn reaches(from: &str, to: &str, depth: usize) -> bool {
        assert!(depth <= RULES.len(), "circle at {from}");
        effects().into_iter().filter(|(cause, _)| *cause == from).any(|(_, e)| e == to || reaches(e, to, depth + 1))
    }
    for rule in RULES {
        assert!(!reaches(rule.id, rule.id, 0), "{}", rule.id);
    }
}

#[test]
fn every_rule_has_a_query() {
    for rule in RULES {
        assert!(!rule.queries.is_empty(), "{} has no query", rule.id);
    }
}
