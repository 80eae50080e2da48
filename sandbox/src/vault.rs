//! The state file: one JSON document, replaced as a whole before an answer that depends on it leaves.
//!
//! Replacing is a write to a neighbour and a rename. That survives `kill -9` at every instant, which is what
//! the sandbox promises; it does not ask the disk to flush, so a power cut may lose the last seconds.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::SandboxError;

const VERSION: u32 = 1;

/// Locks a mutex whose holder may have panicked: the data behind it is only ever replaced whole.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    tulbur_sandbox: u32,
    providers: BTreeMap<String, Box<RawValue>>,
}

#[derive(Debug)]
struct Store {
    path: PathBuf,
    document: Document,
    held: Option<File>,
}

/// Where the rooms keep their state: in a file, or nowhere but in memory.
#[derive(Debug)]
pub(crate) struct Vault {
    store: Option<Mutex<Store>>,
    closed: Mutex<bool>,
}

impl Vault {
    pub(crate) fn in_memory() -> Self {
        Self { store: None, closed: Mutex::new(false) }
    }

    pub(crate) fn open(path: &Path) -> Result<Self, SandboxError> {
        let held = hold(path)?;
        let document = match std::fs::read(path) {
            Ok(bytes) => parse(path, &bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Document { tulbur_sandbox: VERSION, providers: BTreeMap::new() }
            }
            Err(source) => {
                return Err(SandboxError::StateFile { doing: "read", path: path.to_owned(), source });
            }
        };
        let store = Store { path: path.to_owned(), document, held: Some(held) };
        let vault = Self { store: Some(Mutex::new(store)), closed: Mutex::new(false) };
        // Written once now: a folder that is missing or read-only is an error at the start, not at the first payment.
        vault.write()?;
        Ok(vault)
    }

    /// What a provider's room left here before, if anything.
    pub(crate) fn load<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, SandboxError> {
        let Some(store) = &self.store else { return Ok(None) };
        let store = lock(store);
        let Some(raw) = store.document.providers.get(id) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|error| SandboxError::StateUnreadable {
            path: store.path.clone(),
            reason: format!("the part of {id}: {error}"),
        })
    }

    /// Puts a room's state on disk; returns when the file has been replaced.
    pub(crate) fn save<T: Serialize>(&self, id: &str, state: &T) -> Result<(), SandboxError> {
        let closed = lock(&self.closed);
        if *closed {
            return Err(SandboxError::Stopped);
        }
        let Some(store) = &self.store else { return Ok(()) };
        let path = lock(store).path.clone();
        let raw = serde_json::value::to_raw_value(state).map_err(|error| SandboxError::StateFile {
            doing: "write",
            path,
            source: std::io::Error::other(error),
        })?;
        lock(store).document.providers.insert(id.to_owned(), raw);
        self.write()
    }

    /// Stops all writing, at once and for good, and lets go of the file.
    pub(crate) fn close(&self) {
        *lock(&self.closed) = true;
        if let Some(store) = &self.store {
            lock(store).held = None;
        }
    }

    fn write(&self) -> Result<(), SandboxError> {
        let Some(store) = &self.store else { return Ok(()) };
        let store = lock(store);
        replace(&store.path, &store.document).map_err(|source| SandboxError::StateFile {
            doing: "write",
            path: store.path.clone(),
            source,
        })
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Document, SandboxError> {
    let unreadable = |reason: String| SandboxError::StateUnreadable { path: path.to_owned(), reason };
    let document: Document = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    if document.tulbur_sandbox == VERSION {
        Ok(document)
    } else {
        Err(unreadable(format!(
            "it has format {}, this sandbox reads format {VERSION}",
            document.tulbur_sandbox
        )))
    }
}

fn replace(path: &Path, document: &Document) -> std::io::Result<()> {
    let fresh = beside(path, ".new");
    let mut file = File::create(&fresh)?;
    file.write_all(&serde_json::to_vec(document)?)?;
    drop(file);
    std::fs::rename(fresh, path)
}

/// Takes the lock that keeps a second sandbox from writing over the first one's state. The system drops it
/// with the process, so a killed sandbox leaves nothing behind that must be cleaned up.
fn hold(path: &Path) -> Result<File, SandboxError> {
    let fail = |source| SandboxError::StateFile { doing: "lock", path: path.to_owned(), source };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, ".lock"))
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(SandboxError::StateInUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(fail(source)),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
