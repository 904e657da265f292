//! Several edges with the real hub, one modelled Redis, several clients, and everything that goes
//! wrong between them, from a seed.
//!
//! A failing seed is named; run it alone by `SIMULATION_SEED=17 cargo test -p clustertalk-core
//! --test simulation`.

mod simulation {
    pub mod assertions;
    pub mod client;
    pub mod cursor;
    pub mod edge;
    pub mod hub;
    pub mod model;
    pub mod network;
    pub mod random;
    pub mod transitions;
    pub mod view;
}

use simulation::cursor::Judgement;
use simulation::transitions::{Faults, Rules, World};
use std::collections::BTreeMap;

const SEEDS: u64 = 400;
const STEPS: usize = 400;

/// Each fourth seed has a trouble of its own.
fn faults(seed: u64) -> Faults {
    let by_kind = |kind| seed % 4 == kind;
    Faults {
        seen_stays: by_kind(1) || by_kind(3),
        seen_is_lost: by_kind(2),
        by_hand: by_kind(3),
    }
}

fn run(seed: u64, rules: Rules) -> Result<(), String> {
    let mut world = World::new(seed, rules, faults(seed));
    for _ in 0..STEPS {
        world.disturb()?;
    }
    world.settle()?;
    simulation::assertions::check(&world)
}

fn seeds() -> Vec<u64> {
    match std::env::var("SIMULATION_SEED") {
        Ok(seed) => vec![seed.parse().expect("SIMULATION_SEED is a number")],
        Err(_) => (0..SEEDS).collect(),
    }
}

#[test]
fn nothing_is_doubled_reordered_or_silently_lost() {
    for seed in seeds() {
        if let Err(broken) = run(seed, Rules::default()) {
            panic!("seed {seed}: {broken}");
        }
    }
}

#[test]
fn a_seed_repeats_its_run() {
    let trace = |seed| {
        let mut world = World::new(seed, Rules::default(), Faults::default());
        (0..STEPS).for_each(|_| world.disturb().expect("nothing breaks"));
        world.redis.store.log
    };
    assert_eq!(trace(5), trace(5));
}

/// A simulation in which nothing goes wrong proves nothing.
#[test]
fn the_seeds_meet_every_kind_of_trouble() {
    let mut met = BTreeMap::<String, usize>::new();
    for seed in 0..40 {
        let mut world = World::new(seed, Rules::default(), faults(seed));
        (0..STEPS).for_each(|_| world.disturb().expect("nothing breaks"));
        for (what, times) in world.met {
            *met.entry(what).or_default() += times;
        }
    }
    let reasons = ["Some(Trimmed)", "Some(Diverged)", "Some(Damaged)"];
    let told = reasons
        .iter()
        .flat_map(|reason| [format!("told {reason}"), format!("resume {reason}")]);
    let others = ["resume None", "page", "duplicate", "trap"].map(str::to_owned);
    for what in told.chain(others) {
        assert!(met.contains_key(&what), "{what} in {met:?}");
    }
}

/// Without this the simulation could be blind to what it is for.
fn found_by_some_seed(rules: Rules) -> bool {
    (0..SEEDS).any(|seed| run(seed, rules).is_err())
}

#[test]
fn cursors_by_numbers_alone_are_found_out() {
    let broken = Rules {
        clients: Judgement::NumbersAlone,
        edges: Judgement::NumbersAlone,
        ..Rules::default()
    };
    assert!(found_by_some_seed(broken));
}

#[test]
fn an_edge_whose_cursor_goes_by_numbers_alone_is_found_out() {
    let broken = Rules {
        edges: Judgement::NumbersAlone,
        ..Rules::default()
    };
    assert!(found_by_some_seed(broken));
}

#[test]
fn a_host_that_does_not_verify_what_it_fetches_is_found_out() {
    let broken = Rules {
        verify: false,
        ..Rules::default()
    };
    assert!(found_by_some_seed(broken));
}

#[test]
fn a_client_that_settles_by_acknowledgements_is_found_out() {
    let broken = Rules {
        settle_by_ack: true,
        ..Rules::default()
    };
    assert!(found_by_some_seed(broken));
}
