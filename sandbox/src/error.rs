//! Defines the errors of the sandbox itself. A refusal by a provider is an answer, not an error.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the sandbox could not start or could not do what it was asked from code or over its control API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Something else listens there already.
    #[error(
        "cannot listen on {address} for {what}: {source}. Stop the program that uses that port (a sandbox that still runs?) or choose another control port; the providers take the ports after it, and port 0 takes free ones"
    )]
    Listen {
        /// What was to be served there: the control page or one provider.
        what: String,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The control port leaves no room for the providers' ports after it.
    #[error(
        "control port {port} is too high: {providers} provider port(s) follow it and the last port is 65535"
    )]
    PortsExhausted {
        /// The control port asked for.
        port: u16,
        /// How many providers need a port.
        providers: usize,
    },
    /// Two plug-ins have one id, so an address such as `/api/{provider}` would mean both.
    #[error("two plug-ins are called {id:?}; give one of them another id")]
    DuplicatePlugin {
        /// The id that occurs twice.
        id: String,
    },
    /// A plug-in's id would not survive in an address.
    #[error("{id:?} cannot be a plug-in's id: use lower-case letters, digits and hyphens")]
    PluginId {
        /// The id refused.
        id: String,
    },
    /// The state file could not be read or written.
    #[error("cannot {doing} the sandbox's state file {}: {source}", path.display())]
    StateFile {
        /// What was tried: read, write, lock.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file is not one that this sandbox wrote.
    #[error(
        "the sandbox's state file {} cannot be understood: {reason}. Move it away to start with an empty sandbox",
        path.display()
    )]
    StateUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another sandbox holds the state file.
    #[error("another sandbox is using the state file {}; stop it or choose another file", path.display())]
    StateInUse {
        /// The file.
        path: PathBuf,
    },
    /// The sandbox is stopped, so nothing can be changed any more.
    #[error("this sandbox has been stopped")]
    Stopped,
    /// There is no such provider here.
    #[error("the sandbox has no provider {id:?}; it has: {known}")]
    UnknownProvider {
        /// The id asked for.
        id: String,
        /// The ids that there are.
        known: String,
    },
    /// There is no such payment, push, fault or switch.
    #[error("{what}")]
    NotFound {
        /// What was not found, in words.
        what: String,
    },
    /// What was asked cannot be done as things stand.
    #[error("{why}")]
    Refused {
        /// Why not, and what can be done.
        why: String,
    },
    /// A value that makes no sense where it was given.
    #[error("{why}")]
    Invalid {
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client for notifications could not be set up.
    #[error("cannot set up the client that delivers notifications: {0}")]
    Client(#[source] reqwest::Error),
}

impl SandboxError {
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid { why: why.into() }
    }
}
