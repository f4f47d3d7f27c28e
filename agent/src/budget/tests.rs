use super::*;
use netwhy_abi::memory::{FEW_ADDRESSES, TURN_STORAGE};

fn budget() -> Budget {
    Budget::new(&Config::default(), 2)
}

fn of(budget: &Budget, load: &Load, part: &str) -> u64 {
    budget.parts(load).into_iter().find(|p| p.part == part).map(|p| p.bytes).unwrap()
}

const LOAD: Load = Load::DOCUMENTED;

#[test]
fn each_figure_of_the_load_costs_something() {
    let base = budget().total(&LOAD);
    let loads = [
        Load { sockets: LOAD.sockets + 1, ..LOAD },
        Load { cgroups: LOAD.cgroups + 1, ..LOAD },
        Load { edges: LOAD.edges + 1, ..LOAD },
        Load { scrapers: LOAD.scrapers + 1, ..LOAD },
        Load { gone_subjects: LOAD.gone_subjects + 1, ..LOAD },
        Load { pods: LOAD.pods + 1, ..LOAD },
        Load { nodes: LOAD.nodes + 1, ..LOAD },
    ];
    for load in loads {
        assert!(budget().total(&load) > base, "{load:?}");
    }
}

#[test]
fn limits_of_the_configuration_bound_what_load_can_cost() {
    let of = |load: &Load, part: &str| of(&budget(), load, part);
    let storm = Load { edges: 1 << 30, gone_subjects: 1 << 30, scrapers: 1 << 30, ..LOAD };
    let most = Load { edges: 16_384, gone_subjects: 1024, scrapers: 64, ..LOAD };
    for part in ["edges", "gone subjects", "clients", "map edges"] {
        assert_eq!(of(&storm, part), of(&most, part), "{part}");
    }
}

#[test]
fn the_needed_limit_holds_the_load_and_no_more_than_the_room_says() {
    let limit = budget().needed_limit(&LOAD);
    let fitting = budget().fitting_sockets(&LOAD, limit);
    assert!(fitting >= LOAD.sockets, "{fitting}");
    let full = Load { sockets: fitting, ..LOAD };
    assert_eq!(budget().needed_limit(&full), limit);
    assert!(budget().needed_limit(&Load { sockets: fitting + (64 << 10), ..full }) > limit);
    assert_eq!(budget().fitting_sockets(&LOAD, 1 << 20), 0);
}

#[test]
fn the_flight_recorder_costs_memory_of_its_own() {
    let with = Budget::new(&Config::parse("history: {folder: /h}", "test").unwrap(), 2);
    let more = with.total(&LOAD) - budget().total(&LOAD);
    assert_eq!(more, 3_000 * (1_024 + (8_704 + 7_168) / 2) + 250 * (20 << 10) / 2);
}

#[test]
fn response_times_cost_storage_of_their_own_for_each_socket() {
    let config = |mode| Config::parse(&format!("signals: {{responses: '{mode}'}}"), "test").unwrap();
    let (with, without) = (Budget::new(&config("auto"), 2), Budget::new(&config("off"), 2));
    let more = Load { sockets: LOAD.sockets + 100, ..LOAD };
    let of_socket = |budget: &Budget| (budget.total(&more) - budget.total(&LOAD)) / 100;
    assert_eq!(of_socket(&with), of_socket(&without) + TURN_STORAGE as u64);
    let limit = with.needed_limit(&LOAD);
    assert!(with.fitting_sockets(&LOAD, limit) < without.fitting_sockets(&LOAD, limit));
    let full = Load { sockets: with.fitting_sockets(&LOAD, limit), ..LOAD };
    assert_eq!(with.needed_limit(&full), limit);
}

#[test]
fn a_window_of_many_ticks_costs_more_and_has_a_bound() {
    let of = |sampling: &str| {
        let config = Config::parse(&format!("sampling: {{{sampling}}}"), "test").unwrap();
        Budget::new(&config, 2).total(&LOAD)
    };
    let (usual, short) = (of(""), of("tick_seconds: 0.4"));
    let longest = of("tick_seconds: 0.1, window_seconds: 300");
    assert!(usual < short, "{usual} {short}");
    assert!(longest < usual + (64 << 20), "{longest}");
}

#[test]
fn parts_have_names_of_their_own() {
    let mut names: Vec<String> = budget().parts(&LOAD).into_iter().map(|part| part.part).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn states_by_address_cost_their_tables_and_a_row_of_each_socket() {
    let states = States::ByAddress { rows: ADDRESSES, has_turns: true };
    let (storage, address) = (budget(), budget().with_states(states));
    assert_eq!(of(&storage, &LOAD, "socket tables"), 0);
    let tables = states.empty(2) as u64;
    assert_eq!(of(&address, &LOAD, "socket tables"), tables);
    assert_eq!(of(&address, &LOAD, "socket storage"), LOAD.sockets * 200);
    assert_eq!(of(&address, &LOAD, "response storage"), LOAD.sockets * 200);
    // No other part knows of it.
    let sockets = Load { sockets: 0, ..LOAD };
    assert_eq!(address.total(&sockets), storage.total(&sockets) + tables);
    assert_eq!(address.total(&LOAD), address.total(&sockets) + LOAD.sockets * 400);
}

#[test]
fn sockets_beyond_the_tables_by_address_cost_nothing_and_do_not_fit() {
    let few = States::ByAddress { rows: FEW_ADDRESSES, has_turns: true };
    let budget = budget().with_states(few);
    let at = |sockets| Load { sockets, ..LOAD };
    assert_eq!(budget.total(&at(1 << 30)), budget.total(&at(FEW_ADDRESSES as u64)));
    assert_eq!(budget.fitting_sockets(&LOAD, 64 << 30), FEW_ADDRESSES as u64);
    // Without turns a connection takes its state alone.
    let without = budget.with_states(States::ByAddress { rows: FEW_ADDRESSES, has_turns: false });
    assert_eq!(without.total(&at(100)) - without.total(&at(0)), 100 * 200);
}

#[test]
fn the_needed_limit_has_room_for_the_tables_that_come_with_it() {
    let with = |rows| budget().with_states(States::ByAddress { rows, has_turns: true });
    let (few, many) = (with(FEW_ADDRESSES), with(ADDRESSES));
    assert!(few.total(&LOAD) < many.total(&LOAD));
    assert_eq!(few.needed_limit(&LOAD), many.needed_limit(&LOAD));
    assert!(many.fitting_sockets(&LOAD, few.needed_limit(&LOAD)) >= LOAD.sockets);
}

#[test]
fn names_of_peers_cost_memory_while_they_are_read() {
    let with = Budget::new(&Config::parse("signals: {dns_names: auto}", "test").unwrap(), 2);
    assert_eq!(with.total(&LOAD) - budget().total(&LOAD), (256 << 10) + 8_192 * (128 + 253 + 16));
}
