//! Seeded worlds, seeded trouble, several nights each, in virtual time: after every step the rules of `rules.rs` hold, and after the
//! trouble one night makes every record right.
//!
//! `cargo test --test simulation -- [--seeds N] [--from SEED] [--seed SEED]`: so many seeds, from that one on; or one alone, step by step.
//! Without arguments a few, and every seed that ever failed. A seed that fails is printed with the command that replays it.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world has failed")]
#![expect(clippy::print_stdout, reason = "the report is what the target is for")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

mod change;
mod dice;
mod expected;
mod faults;
#[path = "../it/network.rs"]
mod network;
mod night;
#[path = "../it/operator.rs"]
mod operator;
mod oracle;
mod rules;
mod story;
mod tally;
mod world;

use story::{Told, Violation, tell};
use tally::Tally;

/// The seeds that ever failed, each with what it found.
const FAILED: &str = include_str!("failed_seeds.txt");
/// How many seeds there are unless somebody says otherwise.
const SEEDS: u64 = 300;
/// Every so many seeds one is told again, and must be the same story.
const TOLD_AGAIN: u64 = 100;
/// How often it is told again before it counts as another.
const TELLINGS: usize = 3;
/// With so many seeds every kind of trouble must have come up.
const ENOUGH: u64 = 200;

/// A run's futures lie on the stack before they are moved; without optimization they are large.
const STACK_BYTES: usize = 32 << 20;

/// What is to be simulated.
struct Order {
    seeds: Vec<u64>,
    /// Whether one seed is looked at alone.
    is_alone: bool,
}

fn main() -> ExitCode {
    let order = order(std::env::args().skip(1).collect());
    let tally = simulate(&order);
    println!("{tally}");
    let unmet = tally.unmet();
    let lacks = tally.seeds >= ENOUGH && !unmet.is_empty();
    if lacks {
        println!("never came up: {unmet:?}");
    }
    if tally.violations > 0 || lacks { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn order(arguments: Vec<String>) -> Order {
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(
            arguments
                .get(at + 1)
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or_else(|| panic!("{name} needs a number")),
        )
    };
    if let Some(seed) = value("--seed") {
        return Order { seeds: vec![seed], is_alone: true };
    }
    let from = value("--from").unwrap_or(1);
    let mut seeds: Vec<_> = failed().collect();
    seeds.extend(from..from + value("--seeds").unwrap_or(SEEDS));
    Order { seeds, is_alone: false }
}

/// The seeds of the file, without what they found.
fn failed() -> impl Iterator<Item = u64> {
    let lines = FAILED.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
}

/// Tells all stories, on as many threads as there are processors.
fn simulate(order: &Order) -> Tally {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(order.seeds.len());
    let work = || {
        while let Some(seed) = order.seeds.get(next.fetch_add(1, Relaxed)) {
            let mut told = alone(*seed, order.is_alone);
            if order.is_alone || seed.is_multiple_of(TOLD_AGAIN) {
                same_again(&mut told, *seed);
            }
            if let Some(violation) = &told.violation {
                told.tally.violations += 1;
                show(violation);
            }
            all.lock().unwrap().add(&told.tally);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap())
            .collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    all.into_inner().unwrap()
}

/// A story in a world of its own, with a clock of its own. A panic ends the story, and not the others.
fn alone(seed: u64, is_told: bool) -> Told {
    let story = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // One thread for the statements of the state, so that they end in the order in which they began.
        let runtime = runtime.enable_all().start_paused(true).max_blocking_threads(1).build().unwrap();
        runtime.block_on(Box::pin(tell(seed, is_told)))
    };
    std::panic::catch_unwind(story).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let violation = Violation {
            seed,
            step: "some step".into(),
            rule: "nothing panics",
            detail: words.unwrap_or_default(),
            essentials: String::new(),
        };
        Told { tally: Tally::of_a_seed(), trace: 0, violation: Some(violation) }
    })
}

/// The same seed tells the same story. Where two things happen in the same millisecond their order is not the seed's: a story that is
/// told otherwise is told again.
fn same_again(told: &mut Told, seed: u64) {
    let is_same = |_| alone(seed, false).trace == told.trace;
    if told.violation.is_none() && !(0..TELLINGS).any(is_same) {
        told.violation = Some(Violation {
            seed,
            step: "the whole story".into(),
            rule: "the same seed tells the same story",
            detail: format!("told {TELLINGS} times more, and otherwise each time"),
            essentials: String::new(),
        });
    }
}

/// Says something to whoever listens to one seed alone.
fn say(text: &str) {
    println!("{text}");
}

fn show(violation: &Violation) {
    let Violation { seed, step, rule, detail, essentials } = violation;
    println!(
        "seed {seed}, step {step} breaks the rule: {rule}\n  {detail}\n{essentials}  cargo test --test simulation -- --seed {seed}\n"
    );
}
