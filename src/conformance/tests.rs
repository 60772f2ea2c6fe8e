//! Many sequences, and that they reach what they are to reach.

use std::collections::BTreeMap;

use super::alphabet::KNOWN;
use super::automaton::{Side, Verdict};
use super::run::{run, shrunk, Plan, Tally};

/// Sequences in every run of the tests.
const A_FEW: u64 = 4000;

/// So many that nothing is missing among them by chance.
const MANY: u64 = 50_000;

/// A number of the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().expect(name))
}

/// Differences that are told of one run.
const MOST_TOLD: usize = 8;

/// Runs the sequences of so many seeds. Where some differ, tells a seed of each kind, and what is left of it when all steps
/// are left out that can be.
fn sequences(first: u64, count: u64) -> Tally {
    let mut tally = Tally::new();
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for seed in first..first + count {
        let plan = Plan::random(seed);
        let Err(difference) = run(&plan, &mut tally) else {
            continue;
        };
        let kind = difference.what.replace(char::is_numeric, "");
        if told.len() < MOST_TOLD && !told.contains_key(&kind) {
            told.insert(kind, tell(seed, &plan));
        }
    }
    let told: Vec<String> = told.into_values().collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
    tally
}

fn tell(seed: u64, plan: &Plan) -> String {
    let (plan, difference) = shrunk(plan);
    format!(
        "SSHWIRE_CONFORMANCE_FIRST={seed} SSHWIRE_CONFORMANCE_COUNT=1: {}\n{:?}, stage {}, {} steps\n{}",
        difference.what,
        plan.setting,
        plan.stage,
        plan.steps.len(),
        difference.trace.join("\n")
    )
}

/// `SSHWIRE_CONFORMANCE_COUNT` sequences from `SSHWIRE_CONFORMANCE_FIRST` on.
#[test]
fn sequences_are_judged_as_by_the_automaton() {
    let first = number("SSHWIRE_CONFORMANCE_FIRST", 0);
    let count = number("SSHWIRE_CONFORMANCE_COUNT", A_FEW);
    let tally = sequences(first, count);
    let messages: usize = tally.values().sum();
    let mut by_verdict = BTreeMap::new();
    for ((_, _, verdict), count) in &tally {
        *by_verdict.entry(*verdict).or_insert(0) += count;
    }
    println!("{count} sequences, {messages} messages: {by_verdict:?}");
    // The seeds of every run, or so many that chance has no part in it.
    if count >= A_FEW && (first == 0 || count >= MANY) {
        let missing = missing(&tally);
        assert!(missing.is_empty(), "never {missing:?}");
    }
}

/// What was never accepted, or never refused, was not tested.
fn missing(tally: &Tally) -> Vec<String> {
    let accepted: [(Side, &[u8]); 2] = [
        (
            Side::Client,
            &[
                2, 3, 4, 6, 7, 20, 21, 31, 33, 51, 52, 53, 60, 80, 81, 82, 90, 91, 92, 93, 94, 95,
                96, 97, 98, 99, 100,
            ],
        ),
        (
            Side::Server,
            &[
                2, 3, 4, 5, 7, 20, 21, 30, 32, 34, 50, 61, 80, 81, 82, 90, 93, 94, 95, 96, 97, 98,
                99, 100, 192,
            ],
        ),
    ];
    let mut missing = Vec::new();
    for (side, numbers) in accepted {
        for number in numbers {
            if !tally.contains_key(&(side, *number, Verdict::Accept)) {
                missing.push(format!("{side:?} accepted {number}"));
            }
        }
        let refused = |number: u8| {
            let verdicts = [
                Verdict::End,
                Verdict::Refuse,
                Verdict::Unimplemented,
                Verdict::Over,
            ];
            verdicts
                .iter()
                .any(|verdict| tally.contains_key(&(side, number, *verdict)))
        };
        for number in KNOWN {
            // These may come at almost any time, and PONG means nothing wherever it comes.
            if !matches!(number, 1..=4 | 193) && !refused(number) {
                missing.push(format!("{side:?} refused {number}"));
            }
        }
        for nobodys in [
            9..=19,
            22..=29,
            35..=49,
            62..=79,
            101..=127,
            128..=191,
            194..=255,
        ] {
            if !nobodys.clone().any(refused) {
                missing.push(format!("{side:?} refused any of {nobodys:?}"));
            }
        }
    }
    missing
}
