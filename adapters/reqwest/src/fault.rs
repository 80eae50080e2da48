//! Maps reqwest's errors to how far the request got, which decides what may have happened to money.

use tulbur_core::{Phase, TransportError, TransportFault};

/// A request that is not sent because of what it is.
pub(crate) fn refused(message: impl Into<String>) -> TransportError {
    TransportError::new(Phase::NeverSent, TransportFault::Refused, message)
}

/// An answer that is larger than is read. The request was sent.
pub(crate) fn too_large(limit: usize) -> TransportError {
    let message = format!("the answer is larger than the limit of {limit} bytes");
    TransportError::new(Phase::MayHaveBeenSent, TransportFault::TooLarge, message)
}

/// A failure before the head of an answer was read.
///
/// Only two kinds are certain not to have left: what could not be built, and what had no connection (name, port,
/// TLS). Everything else had a connection, and what became of the bytes given to it is not known.
pub(crate) fn sending(error: reqwest::Error) -> TransportError {
    // The library's own text would quote the whole address.
    let error = error.without_url();
    let (phase, fault, message) = if error.is_builder() {
        (Phase::NeverSent, TransportFault::Refused, "the request cannot be built")
    } else if error.is_connect() && error.is_timeout() {
        (Phase::NeverSent, TransportFault::Timeout, "no connection in time")
    } else if error.is_connect() {
        (Phase::NeverSent, TransportFault::Connect, "no connection: the name, the port or TLS failed")
    } else if error.is_timeout() {
        (Phase::MayHaveBeenSent, TransportFault::Timeout, "no answer in time")
    } else {
        (
            Phase::MayHaveBeenSent,
            TransportFault::Cut,
            "the connection ended without an answer that can be read",
        )
    };
    TransportError::new(phase, fault, message).with_source(error)
}

/// A failure while the body of an answer was read.
pub(crate) fn receiving(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let (fault, message) = if error.is_timeout() {
        (TransportFault::Timeout, "the answer began but did not end in time")
    } else {
        (TransportFault::Cut, "the answer began but did not end")
    };
    TransportError::new(Phase::MayHaveBeenSent, fault, message).with_source(error)
}
