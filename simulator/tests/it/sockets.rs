//! The services on loopback sockets.

use crate::support::{Caller, small_world};
use simulator::{Addresses, Settings, Simulation, serve};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn raw(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A severed connection may end in an error; what arrived before it counts.
    let _broken = stream.read_to_end(&mut answer).await.is_err();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn three_services_are_up_until_they_are_shut_down() {
    let simulation = Simulation::new(small_world(), Settings::default());
    let served = serve(&simulation, Addresses::default()).await.unwrap();
    let connectwise = served.connectwise();
    let info = raw(connectwise, "/login/companyinfo/demo").await;
    assert!(info.starts_with("HTTP/1.1 200") && info.contains("v2025_1/"), "{info}");
    assert!(raw(served.umbrella(), "/admin/v2/managed/customers").await.starts_with("HTTP/1.1 401"));
    assert!(raw(served.regional(), "/reports/v2/identities").await.starts_with("HTTP/1.1 401"));
    served.shut_down().await.unwrap();
    assert!(TcpStream::connect(connectwise).await.is_err());
}

#[tokio::test]
async fn serving_points_redirects_at_the_regional_socket() {
    let mut world = small_world();
    world.umbrella.organizations[0].region = "eu".into();
    let simulation = Simulation::new(world, Settings::default());
    let served = serve(&simulation, Addresses::default()).await.unwrap();
    let child = Caller::child(&simulation, 7).await;
    let location = child.get("/reports/v2/identities?limit=1").await;
    let expected = format!("http://{}/reports/v2/identities?limit=1", served.regional());
    assert_eq!(location.header("location"), expected);
}

#[tokio::test]
async fn only_loopback_addresses_are_served() {
    let simulation = Simulation::new(small_world(), Settings::default());
    let everywhere = Addresses { umbrella: "0.0.0.0:0".parse().unwrap(), ..Addresses::default() };
    let refused = serve(&simulation, everywhere).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_severed_connection_breaks_before_the_answer_is_whole() {
    let simulation = Simulation::new(small_world(), Settings::default());
    let served = serve(&simulation, Addresses::default()).await.unwrap();
    simulation.inject("severed(applied)@connectwise".parse().unwrap());
    let answer = raw(served.connectwise(), "/login/companyinfo/demo").await;
    assert!(!answer.contains("Codebase") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    assert!(raw(served.connectwise(), "/login/companyinfo/demo").await.contains("Codebase"));
}
