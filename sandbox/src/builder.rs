//! Starting and stopping a sandbox.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::control;
use crate::delivery::deliver;
use crate::error::SandboxError;
use crate::galaxy_pay::GalaxyPay;
use crate::golomt_ecommerce::GolomtEcommerce;
use crate::golomt_instore::GolomtInstore;
use crate::golomt_mini_app::GolomtMiniApp;
use crate::guard::Guard;
use crate::intake;
use crate::plugin::Plugin;
use crate::provider::Provider;
use crate::qpay::QPay;
use crate::room::{AnyRoom, Room};
use crate::serve::serve;
use crate::vault::Vault;

const TICK: Duration = Duration::from_millis(200);

/// Opens a plug-in's room once its address is known; hides the type of its state.
type Opener = Box<dyn FnOnce(String, Arc<Vault>) -> Result<Arc<dyn AnyRoom>, SandboxError> + Send>;

/// What a sandbox is to be; see [`Sandbox::builder`].
pub struct SandboxBuilder {
    bind: IpAddr,
    port: u16,
    state_file: Option<PathBuf>,
    hosts: Vec<String>,
    push_addresses: Vec<(String, String)>,
    built_in: bool,
    plugins: Vec<(String, Opener)>,
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugins: Vec<_> = self.plugins.iter().map(|(id, _)| id).collect();
        f.debug_struct("SandboxBuilder")
            .field("bind", &self.bind)
            .field("port", &self.port)
            .field("state_file", &self.state_file)
            .field("plugins", &plugins)
            .finish_non_exhaustive()
    }
}

impl SandboxBuilder {
    fn new() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            state_file: None,
            hosts: Vec::new(),
            push_addresses: Vec::new(),
            built_in: true,
            plugins: Vec::new(),
        }
    }

    /// The control page's port; the providers take the ports after it, in their order. 0, which is where it starts,
    /// takes a free port for each.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address to listen on. Loopback unless told otherwise: whoever reaches the control page rules the sandbox.
    #[must_use]
    pub fn bind(mut self, address: IpAddr) -> Self {
        self.bind = address;
        self
    }

    /// A further name by which the control page and the providers may be called, such as a container's. Loopback names
    /// always may.
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Keeps the sandbox's state in this file, and starts from it.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Where a provider sends its notifications, from the start.
    #[must_use]
    pub fn push_address(mut self, provider: impl Into<String>, address: impl Into<String>) -> Self {
        self.push_addresses.push((provider.into(), address.into()));
        self
    }

    /// Adds a provider. One with the id of a built-in provider takes its place.
    #[must_use]
    pub fn plugin<P: Plugin>(mut self, plugin: P) -> Self {
        let id = plugin.profile().id;
        let open: Opener = Box::new(|base_url, vault| {
            let room: Arc<dyn AnyRoom> = Room::open(Arc::new(plugin), base_url, vault)?;
            Ok(room)
        });
        self.plugins.push((id, open));
        self
    }

    /// Leaves out the providers that come with this crate.
    #[must_use]
    pub fn without_built_in(mut self) -> Self {
        self.built_in = false;
        self
    }

    /// Binds the ports, reads the state file and starts serving.
    ///
    /// # Errors
    ///
    /// A port that is taken, a state file that cannot be used, plug-ins that clash, an unknown provider or a
    /// malformed address in [`push_address`](Self::push_address).
    pub async fn start(mut self) -> Result<Sandbox, SandboxError> {
        if self.built_in {
            let own = std::mem::take(&mut self.plugins);
            self = self
                .plugin(GolomtEcommerce::new())
                .plugin(GolomtInstore::new())
                .plugin(GalaxyPay::new())
                .plugin(GolomtMiniApp::new())
                .plugin(QPay::new());
            self.plugins.retain(|(id, _)| own.iter().all(|(other, _)| other != id));
            self.plugins.extend(own);
        }
        check_ids(&self.plugins)?;
        let providers = self.plugins.len();
        if self.port != 0 && usize::from(u16::MAX - self.port) < providers {
            return Err(SandboxError::PortsExhausted { port: self.port, providers });
        }
        let vault = Arc::new(match &self.state_file {
            Some(path) => Vault::open(path)?,
            None => Vault::in_memory(),
        });
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(SandboxError::Client)?;

        let (control, control_address) = listen(self.bind, self.port, "the control page").await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut rooms: BTreeMap<String, Arc<dyn AnyRoom>> = BTreeMap::new();
        let mut port = self.port;
        let mut listeners = Vec::new();
        for (id, open) in self.plugins {
            port = if port == 0 { 0 } else { port + 1 };
            let (listener, address) = listen(self.bind, port, &id).await?;
            let room = open(url_of(address), Arc::clone(&vault))?;
            rooms.insert(id, Arc::clone(&room));
            listeners.push((listener, room));
        }
        vault.begin()?;
        for (id, address) in self.push_addresses {
            control::room(&rooms, &id)?.set_push_address(Some(address))?;
        }
        let guard = Arc::new(Guard::new(self.bind, self.hosts));
        for (listener, room) in listeners {
            let (routes, guard) = (room.routes(), Arc::clone(&guard));
            tasks.spawn(deliver(Arc::clone(&room), client.clone()));
            tasks.spawn(tick(Arc::clone(&room)));
            let handler = move |request: Request<Body>| {
                intake::handle(Arc::clone(&room), Arc::clone(&guard), routes.clone(), request)
            };
            tasks.spawn(serve(listener, handler, stopped.clone()));
        }
        let router = control::router(rooms.clone(), guard);
        let handler = move |request: Request<Body>| {
            let router = router.clone();
            async move { Ok(tower::ServiceExt::oneshot(router, request).await?) }
        };
        tasks.spawn(serve(control, handler, stopped));
        Ok(Sandbox { control_url: url_of(control_address), rooms, vault, stop, tasks })
    }
}

fn check_ids(plugins: &[(String, Opener)]) -> Result<(), SandboxError> {
    for (at, (id, _)) in plugins.iter().enumerate() {
        let fits = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
        };
        if id.is_empty() || !id.chars().all(fits) {
            return Err(SandboxError::PluginId { id: id.clone() });
        }
        if plugins.iter().skip(at + 1).any(|(other, _)| other == id) {
            return Err(SandboxError::DuplicatePlugin { id: id.clone() });
        }
    }
    Ok(())
}

async fn listen(bind: IpAddr, port: u16, what: &str) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let address = SocketAddr::new(bind, port);
    let fail = |source| SandboxError::Listen { what: what.to_owned(), address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok((listener, address))
}

/// An address that a browser on this machine can open: "everywhere" is nowhere to go to.
fn url_of(address: SocketAddr) -> String {
    let ip = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

async fn tick(room: Arc<dyn AnyRoom>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        room.tick();
    }
}

/// A running sandbox. Dropping it ends it at once, as `kill -9` would; [`shutdown`](Self::shutdown) is the polite way.
pub struct Sandbox {
    control_url: String,
    rooms: BTreeMap<String, Arc<dyn AnyRoom>>,
    vault: Arc<Vault>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let providers: BTreeMap<_, _> = self.rooms.iter().map(|(id, room)| (id, room.base_url())).collect();
        f.debug_struct("Sandbox")
            .field("control_url", &self.control_url)
            .field("providers", &providers)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A sandbox with every provider that this crate has, on free ports of the loopback address, kept in memory.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    /// The address of the control page and the control API, without a slash at the end.
    pub fn control_url(&self) -> &str {
        &self.control_url
    }

    /// The address that stands for a provider's host, without a slash at the end; `None` for an unknown id.
    pub fn base_url(&self, provider: &str) -> Option<&str> {
        self.rooms.get(provider).map(|room| room.base_url())
    }

    /// The ids of the providers that it plays.
    pub fn provider_ids(&self) -> Vec<&str> {
        self.rooms.keys().map(String::as_str).collect()
    }

    /// Everything that can be seen and set for one provider.
    ///
    /// # Errors
    ///
    /// [`SandboxError::UnknownProvider`], with the ids that there are.
    pub fn provider(&self, id: &str) -> Result<Provider, SandboxError> {
        control::room(&self.rooms, id).map(Provider::new)
    }

    /// Stops: takes no new connection, lets running requests finish for a moment, and returns when the ports are free.
    pub async fn shutdown(mut self) {
        // The receivers may be gone already; then there is nothing left to stop.
        let _ = self.stop.send(true);
        let mut tasks = std::mem::take(&mut self.tasks);
        // The courier and the clock never end by themselves; the servers do.
        let servers_end = async {
            let endless = 2 * self.rooms.len();
            while tasks.len() > endless {
                tasks.join_next().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(4), servers_end).await.is_err() {
            tracing::warn!("a server did not stop in time");
        }
        tasks.shutdown().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.vault.close();
        self.tasks.abort_all();
    }
}
