//! Where in ConnectWise's cloud a login company is.

use std::sync::Arc;

use psasync::clock::Clock;
use psasync::connectwise::{Located, locate};
use simulator::{Service, Settings, Simulation, World};

use crate::network::Network;

/// Of all regions, only `na` is up in this network.
async fn located(company: &str) -> (Located, Simulation) {
    let simulation =
        Simulation::new(World::fleet(1, 1), Settings { keep_bodies: true, ..Settings::default() });
    let network = Arc::new(Network::new(simulation.clone()));
    let clock = Clock::starting_at(simulation.now());
    (locate(&network, company, clock, 7).await, simulation)
}

#[tokio::test(start_paused = true)]
async fn a_login_company_is_found_in_its_region_without_a_credential() {
    let (located, simulation) = located("demo").await;
    let [region] = located.regions.as_slice() else { panic!("{located:?}") };
    assert_eq!(region.base_url.as_str(), "https://api-na.myconnectwise.net/");
    assert_eq!(region.codebase, "v2025_1");
    for sent in simulation.log() {
        assert_eq!(sent.service, Service::ConnectWise);
        let headers = &sent.exchange.unwrap().request_headers;
        assert!(!headers.contains_key("authorization") && !headers.contains_key("clientid"), "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_answer_is_named_and_never_taken_for_one_that_does_not_know() {
    let (located, _) = located("nobody").await;
    assert!(located.regions.is_empty());
    let hosts: Vec<_> = located.unanswered.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(
        hosts,
        [
            "eu.myconnectwise.net",
            "au.myconnectwise.net",
            "aus.myconnectwise.net",
            "za.myconnectwise.net",
            "staging.connectwisedev.com"
        ]
    );
}
