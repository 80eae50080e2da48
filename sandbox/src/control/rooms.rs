//! The rooms of the providers, as the control port finds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::SandboxError;
use crate::room::AnyRoom;

/// The rooms by provider id, as handlers share them.
pub(super) type Rooms = Arc<BTreeMap<String, Arc<dyn AnyRoom>>>;

pub(crate) fn room(
    rooms: &BTreeMap<String, Arc<dyn AnyRoom>>,
    id: &str,
) -> Result<Arc<dyn AnyRoom>, SandboxError> {
    rooms.get(id).cloned().ok_or_else(|| SandboxError::UnknownProvider {
        id: id.to_owned(),
        known: rooms.keys().cloned().collect::<Vec<_>>().join(", "),
    })
}
