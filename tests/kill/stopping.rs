//! SIGINT and SIGTERM: what is in flight is finished, and a second signal stops at once.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use psasync::clock::Clock;
use simulator::{Service, World};

use super::{Night, Signal, month_turn};

/// So many that what is left after half of them is no more than `guards.max_creates`.
const COMPANIES: usize = 40;
const CONFIGURATIONS: &str = "/company/configurations";
/// The type and its questions are created below the same path.
const SET_UP_WRITES: usize = 17;

/// Which of the requests of an undisturbed first night creates the record in the middle.
async fn create_in_the_middle(night: &Night) -> usize {
    assert_eq!(night.sync(month_turn(), None).await, Some(0));
    let log = night.simulation.log();
    let is_create = |index: &usize| {
        let logged = &log[*index];
        logged.service == Service::ConnectWise
            && logged.method == "POST"
            && logged.path.ends_with(CONFIGURATIONS)
    };
    let creates: Vec<_> = (0..log.len()).filter(is_create).collect();
    assert_eq!(creates.len(), COMPANIES);
    1 + creates[COMPANIES / 2]
}

async fn first_night() -> Night {
    Night::start(World::fleet(COMPANIES, COMPANIES), month_turn()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_stops_new_writes_finishes_those_in_flight_and_ends_in_the_summary() {
    sqlx::any::install_default_drivers();
    let undisturbed = first_night().await;
    let stops_at = create_in_the_middle(&undisturbed).await;
    for (signal, exit) in [(Signal("INT"), 130), (Signal("TERM"), 143)] {
        let night = first_night().await;
        let mut command = night.command(month_turn());
        command.stdout(File::create(night.path("stdout")).unwrap());
        command.stderr(File::create(night.path("stderr")).unwrap());
        night.set_trap(command, Some(stops_at), signal);
        assert_eq!(night.end().await, Some(exit), "{signal:?}");
        let [stdout, stderr] =
            ["stdout", "stderr"].map(|name| std::fs::read_to_string(night.path(name)).unwrap());
        let created = night.records().len();
        assert!((1..COMPANIES).contains(&created), "{signal:?}: {created} created");
        assert!(stdout.contains(&format!(" + {created} created + ")), "{signal:?}: {stdout}");
        assert!(stderr.contains("stopping: what is in flight is finished first"), "{signal:?}: {stderr}");
        assert!(stderr.contains("the next run writes the rest"), "{signal:?}: {stderr}");
        night.assert_settled().await;
        let run = night.state().await.reader().runs(1).await.unwrap().remove(0);
        assert_eq!(run.outcome.as_deref(), Some("stopped"), "{signal:?}");
        assert_eq!(night.sync(month_turn(), None).await, Some(0), "the lease was given back");
        assert!(night.records() == undisturbed.records(), "{signal:?}: the records differ");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_stops_at_once() {
    sqlx::any::install_default_drivers();
    let stops_at = create_in_the_middle(&first_night().await).await;
    for (signal, exit) in [(Signal("INT"), 130), (Signal("TERM"), 143)] {
        let night = first_night().await;
        // Longer than any test, and than psasync waits for an answer.
        let slow =
            format!("slow(600000)@connectwise:POST {CONFIGURATIONS}+{}**", SET_UP_WRITES + COMPANIES / 2);
        night.simulation.inject(slow.parse().unwrap());
        let mut command = night.command(month_turn());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        night.set_trap(command, Some(stops_at), signal);
        let started_at = Clock::system().now();
        let stderr = night.trap.lock().unwrap().prey.as_mut().unwrap().stderr.take().unwrap();
        let trap = night.trap.clone();
        tokio::task::spawn_blocking(move || {
            let is_stopping = |line: &String| line.contains("a second signal stops at once");
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            assert!(lines.any(|line| is_stopping(&line)), "it ended without a word");
            signal.send(trap.lock().unwrap().prey.as_ref().unwrap());
        })
        .await
        .unwrap();
        assert_eq!(night.end().await, Some(exit), "{signal:?}");
        let seconds = (Clock::system().now() - started_at).num_seconds();
        assert!(seconds < 30, "{signal:?}: it waited {seconds} s for an answer");
    }
}
