//! Lists the ways in which a request gets no answer.

use tulbur_core::{ErrorKind, Phase, TransportFault};

/// Each way in which a request gets no answer, in both phases, and the kind of the error that a provider makes of it. For
/// a provider's own tests with a [`Script`](crate::Script).
///
/// The outcome follows from the phase: what was never sent has no effect.
pub const UNANSWERED: [(TransportFault, Phase, ErrorKind); 8] = [
    (TransportFault::Connect, Phase::NeverSent, ErrorKind::Unavailable),
    (TransportFault::Connect, Phase::MayHaveBeenSent, ErrorKind::Unavailable),
    (TransportFault::Cut, Phase::NeverSent, ErrorKind::Unavailable),
    (TransportFault::Cut, Phase::MayHaveBeenSent, ErrorKind::Unavailable),
    (TransportFault::Timeout, Phase::NeverSent, ErrorKind::Timeout),
    (TransportFault::Timeout, Phase::MayHaveBeenSent, ErrorKind::Timeout),
    (TransportFault::TooLarge, Phase::NeverSent, ErrorKind::Malformed),
    (TransportFault::TooLarge, Phase::MayHaveBeenSent, ErrorKind::Malformed),
];
