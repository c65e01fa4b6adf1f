//! Puts a simulation on loopback sockets.

use crate::simulation::Simulation;
use axum::Router;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where to listen. Port 0 takes any free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// For `api.umbrella.com`
    pub umbrella: SocketAddr,
    /// For the regional report host
    pub regional: SocketAddr,
    /// For the ConnectWise API host
    pub connectwise: SocketAddr,
}

impl Default for Addresses {
    /// Takes three free ports on 127.0.0.1.
    fn default() -> Self {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self { umbrella: any, regional: any, connectwise: any }
    }
}

/// Simulated services that are up. They stay up until [`Served::shut_down`], or as long as the runtime lives.
#[derive(Debug)]
pub struct Served {
    addresses: Addresses,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<io::Result<()>>>,
}

impl Served {
    /// Returns where `api.umbrella.com` listens.
    pub fn umbrella(&self) -> SocketAddr {
        self.addresses.umbrella
    }

    /// Returns where the regional report host listens.
    pub fn regional(&self) -> SocketAddr {
        self.addresses.regional
    }

    /// Returns where the ConnectWise API host listens.
    pub fn connectwise(&self) -> SocketAddr {
        self.addresses.connectwise
    }

    /// Finishes the requests in flight and closes the sockets.
    ///
    /// # Errors
    /// A socket failed while it was served.
    pub async fn shut_down(self) -> io::Result<()> {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

/// Serves a simulation over HTTP and points regional redirects at the regional socket.
///
/// # Errors
/// An address is not a loopback address, or cannot be listened on.
pub async fn serve(simulation: &Simulation, addresses: Addresses) -> io::Result<Served> {
    let umbrella = listen(addresses.umbrella).await?;
    let regional = listen(addresses.regional).await?;
    let connectwise = listen(addresses.connectwise).await?;
    let addresses = Addresses {
        umbrella: umbrella.local_addr()?,
        regional: regional.local_addr()?,
        connectwise: connectwise.local_addr()?,
    };
    simulation.set_regional_origin(Some(format!("http://{}", addresses.regional)));
    let (stop, stopped) = watch::channel(false);
    let tasks = vec![
        start(umbrella, simulation.umbrella(), stopped.clone()),
        start(regional, simulation.regional(), stopped.clone()),
        start(connectwise, simulation.connectwise(), stopped),
    ];
    Ok(Served { addresses, stop, tasks })
}

async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        let reason = format!("simulated services listen on loopback addresses only, not on {address}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    TcpListener::bind(address).await
}

fn start(
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) -> JoinHandle<io::Result<()>> {
    let until_stopped = async move {
        // A dropped sender means that nobody can stop the services any more: they stay up.
        if stopped.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(until_stopped).await })
}
