//! The whole contract: what each part says stands with the part.

use std::fmt;

use crate::store::due::DueWork;
use crate::store::inbox::Inbox;
use crate::store::lists::Lists;
use crate::store::outbox::Outbox;
use crate::store::records::Records;

/// What a database must do for [`Payments`](crate::Payments): one trait for each thing that it serves. A type that has them
/// all is a store.
pub trait Store: Records + DueWork + Outbox + Inbox + Lists + fmt::Debug {}

impl<T: Records + DueWork + Outbox + Inbox + Lists + fmt::Debug> Store for T {}
