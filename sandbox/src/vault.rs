//! The state file: a JSON document, and after it a line for each change since.
//!
//! A change is on file before an answer that depends on it leaves. When the changes have outgrown the document, both
//! are put together into a new file beside it, which then takes its name. That survives `kill -9` at every instant,
//! which is what the sandbox promises; it does not ask the disk to flush, so a power cut may lose the last seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::SandboxError;
use crate::lock::lock;
use crate::records::{changes, resolve, whole};

const VERSION: u32 = 2;
/// So much is appended before it is worth reading the file again.
const LEAST_TAIL: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    tulbur_sandbox: u32,
    providers: BTreeMap<String, Value>,
}

/// One line after the document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The room's state anew.
    Whole(String, Value),
    /// What changed in it.
    Changes(String, Value),
}

#[derive(Debug)]
struct Store {
    path: PathBuf,
    held: Option<File>,
    /// What was there at the start, until the rooms have it.
    found: Option<Document>,
    /// How long the document is, and how long the file up to the last change that was written to its end.
    document: u64,
    length: u64,
    /// Rooms of which the file has the last change: the others' next line must tell everything.
    told: BTreeSet<String>,
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
        let store = Store {
            path: path.to_owned(),
            held: Some(held),
            found: Some(read(path)?),
            document: 0,
            length: 0,
            told: BTreeSet::new(),
        };
        Ok(Self { store: Some(Mutex::new(store)), closed: Mutex::new(false) })
    }

    /// What a provider's room left here before, if anything.
    pub(crate) fn load<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, SandboxError> {
        let Some(store) = &self.store else { return Ok(None) };
        let store = lock(store);
        let found = store.found.as_ref().and_then(|document| document.providers.get(id));
        found.map(T::deserialize).transpose().map_err(|error| SandboxError::StateUnreadable {
            path: store.path.clone(),
            reason: format!("the part of {id}: {error}"),
        })
    }

    /// Every room has what was there; from here on changes are written. The file is written once now: a folder that
    /// is missing or read-only is an error at the start, not at the first payment.
    pub(crate) fn begin(&self) -> Result<(), SandboxError> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut store = lock(store);
        if let Some(document) = store.found.take() {
            let written = replace(&store.path, &document);
            store.length = written.map_err(|source| failed("write", &store.path, source))?;
            store.document = store.length;
        }
        Ok(())
    }

    /// Puts a room's change on file; returns when it is there.
    pub(crate) fn save<T: Serialize>(&self, id: &str, state: &T) -> Result<(), SandboxError> {
        let closed = lock(&self.closed);
        if *closed {
            return Err(SandboxError::Stopped);
        }
        let Some(store) = &self.store else { return Ok(()) };
        let mut store = lock(store);
        let saved = store.append(id, state);
        saved.map_err(|source| failed("write", &store.path, source))
    }

    /// Stops all writing, at once and for good, and lets go of the file.
    pub(crate) fn close(&self) {
        *lock(&self.closed) = true;
        if let Some(store) = &self.store {
            lock(store).held = None;
        }
    }
}

impl Store {
    fn append<T: Serialize>(&mut self, id: &str, state: &T) -> std::io::Result<()> {
        // Until this line is written, the room counts as one whose changes are not on file.
        let told = self.told.remove(id);
        let (name, state) = if told { ("changes", changes(state)?) } else { ("whole", whole(state)?) };
        let mut line = format!("{{\"{name}\":[{},", serde_json::to_string(id)?).into_bytes();
        line.extend(state);
        line.extend(b"]}\n");

        // Not created: a file that somebody took away held more than this change.
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        // A write that failed half-way may have left a part of a line.
        file.set_len(self.length)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(&line)?;
        self.length += line.len() as u64;
        self.told.insert(id.to_owned());

        if self.length - self.document > self.document.max(LEAST_TAIL) {
            self.put_together();
        }
        Ok(())
    }

    /// Replaces the document and its changes by a document. The changes are on file already, so nothing depends on it.
    fn put_together(&mut self) {
        let replaced = read(&self.path).and_then(|document| {
            replace(&self.path, &document).map_err(|error| failed("write", &self.path, error))
        });
        match replaced {
            Ok(length) => self.length = length,
            Err(error) => tracing::warn!(%error, "the changes in the state file stay where they are"),
        }
        self.document = self.length;
    }
}

fn failed(doing: &'static str, path: &Path, source: std::io::Error) -> SandboxError {
    SandboxError::StateFile { doing, path: path.to_owned(), source }
}

/// The document with its changes; an empty one if there is no file.
fn read(path: &Path) -> Result<Document, SandboxError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Document { tulbur_sandbox: VERSION, providers: BTreeMap::new() });
        }
        Err(source) => return Err(failed("read", path, source)),
    };
    let unreadable = |reason: String| SandboxError::StateUnreadable { path: path.to_owned(), reason };
    let mut values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    let document = values.next().ok_or_else(|| unreadable("it is empty".into()))?;
    let document: Value = document.map_err(|error| unreadable(error.to_string()))?;
    let version = &document["tulbur_sandbox"];
    if version.is_number() && *version != VERSION {
        return Err(unreadable(format!("it has format {version}, this sandbox reads format {VERSION}")));
    }
    let mut document: Document =
        serde_json::from_value(document).map_err(|error| unreadable(error.to_string()))?;
    for value in values {
        let line = match value {
            Ok(value) => serde_json::from_value(value),
            // The last line was being written when the process was killed: nothing was told that depends on it.
            Err(error) if error.is_eof() => break,
            Err(error) => Err(error),
        };
        match line.map_err(|error| unreadable(format!("a change in it: {error}")))? {
            Line::Whole(id, state) => drop(document.providers.insert(id, state)),
            Line::Changes(id, told) => {
                let before = document.providers.remove(&id).unwrap_or_default();
                document.providers.insert(id, resolve(told, before));
            }
        }
    }
    Ok(document)
}

fn replace(path: &Path, document: &Document) -> std::io::Result<u64> {
    let fresh = beside(path, ".new");
    let mut bytes = serde_json::to_vec(document)?;
    bytes.push(b'\n');
    // What a killed process left may be readable by others, so it is not written into.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    private().create_new(true).open(&fresh)?.write_all(&bytes)?;
    std::fs::rename(fresh, path)?;
    Ok(bytes.len() as u64)
}

/// Takes the lock that keeps a second sandbox from writing over the first one's state. The system drops it
/// with the process, so a killed sandbox leaves nothing behind that must be cleaned up.
fn hold(path: &Path) -> Result<File, SandboxError> {
    let fail = |source| failed("lock", path, source);
    let file = private().create(true).truncate(false).open(beside(path, ".lock")).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(SandboxError::StateInUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(fail(source)),
    }
}

/// To write a file that, if it is made, only its owner can read: cards and customers stand in it.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true);
    options
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    type State = Records<String, String>;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.json");
        (folder, path)
    }

    fn begun(path: &Path) -> Vault {
        let vault = Vault::open(path).unwrap();
        vault.begin().unwrap();
        vault
    }

    fn length(path: &Path) -> u64 {
        std::fs::metadata(path).unwrap().len()
    }

    fn loaded(path: &Path, id: &str) -> Vec<String> {
        let vault = Vault::open(path).unwrap();
        let state: State = vault.load(id).unwrap().unwrap_or_default();
        vault.begin().unwrap();
        vault.close();
        state.values().cloned().collect()
    }

    #[test]
    fn a_change_costs_what_it_changes() {
        let (_folder, path) = file();
        let vault = begun(&path);
        let mut state = State::default();
        for n in 0..1000 {
            state.insert(n.to_string(), "x".repeat(100));
        }
        vault.save("bank", &state).unwrap();
        let before = length(&path);
        assert!(before > 100_000);
        state.insert("new".into(), "y".into());
        vault.save("bank", &state).unwrap();
        assert!(length(&path) - before < 100, "{}", length(&path) - before);
        vault.close();
        assert_eq!(loaded(&path, "bank").len(), 1001);
        let again = length(&path);
        assert_eq!(loaded(&path, "bank").len(), 1001);
        assert_eq!(length(&path), again, "a start leaves one document");
    }

    #[test]
    fn changes_that_outgrow_the_document_are_put_into_it() {
        let (_folder, path) = file();
        let vault = begun(&path);
        let mut other = State::default();
        other.insert("o".into(), "of another room".into());
        vault.save("other", &other).unwrap();
        let mut state = State::default();
        let mut longest = 0;
        for n in 0..1000 {
            state.insert((n % 10).to_string(), n.to_string().repeat(3000));
            vault.save("bank", &state).unwrap();
            longest = longest.max(length(&path));
        }
        assert!(longest > LEAST_TAIL, "it was never put together: {longest}");
        assert!(longest < 2 * LEAST_TAIL, "9 MB were written, {longest} stand");
        vault.close();
        let numbers: Vec<_> = loaded(&path, "bank").iter().map(|text| text[..3].to_owned()).collect();
        assert_eq!(numbers, ["990", "991", "992", "993", "994", "995", "996", "997", "998", "999"]);
        assert_eq!(loaded(&path, "other"), ["of another room"]);
    }

    #[cfg(unix)]
    #[test]
    fn its_files_can_be_read_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let (folder, path) = file();
        // Left by a process that was killed, and by an earlier version.
        let open = std::fs::Permissions::from_mode(0o644);
        for name in ["sandbox.json", "sandbox.json.new"] {
            std::fs::write(folder.path().join(name), br#"{"tulbur_sandbox":2,"providers":{}}"#).unwrap();
            std::fs::set_permissions(folder.path().join(name), open.clone()).unwrap();
        }
        let vault = begun(&path);
        vault.save("bank", &State::default()).unwrap();
        let modes: BTreeMap<String, u32> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| {
                let file = file.unwrap();
                let mode = file.metadata().unwrap().permissions().mode() & 0o777;
                (file.file_name().into_string().unwrap(), mode)
            })
            .collect();
        let names = ["sandbox.json", "sandbox.json.lock"];
        assert_eq!(modes, names.map(|name| (name.to_owned(), 0o600)).into());
    }

    #[test]
    fn a_line_that_was_being_written_is_no_change() {
        let (_folder, path) = file();
        let vault = begun(&path);
        let mut state = State::default();
        state.insert("A".into(), "Т".into());
        vault.save("bank", &state).unwrap();
        let before = length(&path);
        state.insert("B".into(), "төлбөр".into());
        vault.save("bank", &state).unwrap();
        vault.close();
        let bytes = std::fs::read(&path).unwrap();
        let all = bytes.len() - 1; // Without its last character, a newline, the line says all that it has to.
        for end in usize::try_from(before).unwrap()..all {
            std::fs::write(&path, &bytes[..end]).unwrap();
            assert_eq!(loaded(&path, "bank"), ["Т"], "{end} of {} bytes", bytes.len());
        }
        std::fs::write(&path, &bytes[..all]).unwrap();
        assert_eq!(loaded(&path, "bank"), ["Т", "төлбөр"]);
        let mut spoiled = bytes;
        spoiled[all] = b'}';
        std::fs::write(&path, &spoiled).unwrap();
        assert!(
            matches!(Vault::open(&path), Err(SandboxError::StateUnreadable { .. })),
            "damage is not a torn line"
        );
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next_change() {
        let (folder, path) = file();
        let vault = begun(&path);
        let mut state = State::default();
        state.insert("A".into(), "a".into());
        vault.save("bank", &state).unwrap();
        let aside = folder.path().join("aside");
        std::fs::rename(&path, &aside).unwrap();
        state.insert("B".into(), "b".into());
        let error = vault.save("bank", &state).unwrap_err().to_string();
        assert!(error.contains("sandbox.json"), "{error}");
        assert!(!path.exists(), "a part of the state would look like all of it");
        std::fs::rename(&aside, &path).unwrap();
        // A disk that was full leaves a part of a line.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"{\"changes\":[\"ba");
        std::fs::write(&path, bytes).unwrap();
        state.insert("C".into(), "c".into());
        vault.save("bank", &state).unwrap();
        vault.close();
        assert_eq!(loaded(&path, "bank"), ["a", "b", "c"]);
    }
}
