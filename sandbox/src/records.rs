//! A collection that knows which of its entries have changed, so that a change costs what it changes.
//!
//! The state file is a document followed by changes. A room's state says what changed by being serialised in another
//! mode: then [`Records`] writes only the entries that were touched since the last time, marked as such, and
//! [`resolve`] puts them back over what was there. Everything else in a state is written as it is, and replaces.

use std::borrow::Borrow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::lock::lock;

const CHANGED: &str = "$changed";
const GONE: &str = "$gone";

thread_local! {
    /// How a state is being told to the state file on this thread, if that is why it is serialised.
    static TELLING: Cell<Option<Told>> = const { Cell::new(None) };
}

#[derive(Clone, Copy, PartialEq)]
enum Told {
    Whole,
    Changes,
}

/// A sorted map for a plug-in's state, for what grows: payments, notifications, numbers once used.
///
/// It serialises as a map does. After a change, only the entries that were inserted, removed, or handed out to be
/// changed are written to the state file; an ordinary map is written whole, which is fine while it is small. Keys are
/// whatever JSON can have as the name of a member: texts and integers.
pub struct Records<K, V> {
    entries: BTreeMap<K, V>,
    changed: Mutex<BTreeSet<K>>,
}

impl<K: Ord, V> Records<K, V> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is one with this key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.entries.contains_key(key)
    }

    /// One of them.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    /// All of them, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.entries.values()
    }
}

impl<K: Ord + Clone, V> Records<K, V> {
    /// One of them, to be changed.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        let value = self.entries.get_mut(key)?;
        touched(&mut self.changed).insert(key.to_owned());
        Some(value)
    }

    /// Those that `wanted` picks, to be changed, in the order of their keys.
    pub fn select_mut(&mut self, wanted: impl Fn(&V) -> bool) -> impl Iterator<Item = &mut V> {
        let changed = touched(&mut self.changed);
        self.entries.iter_mut().filter(move |(_, value)| wanted(value)).map(|(key, value)| {
            changed.insert(key.clone());
            value
        })
    }

    /// Adds one; what had the key before comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        touched(&mut self.changed).insert(key.clone());
        self.entries.insert(key, value)
    }

    /// Takes one away.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        let value = self.entries.remove(key)?;
        touched(&mut self.changed).insert(key.to_owned());
        Some(value)
    }

    /// Takes away those that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let changed = touched(&mut self.changed);
        self.entries.retain(|key, value| {
            let stays = keep(key, value);
            if !stays {
                changed.insert(key.clone());
            }
            stays
        });
    }
}

fn touched<K>(changed: &mut Mutex<BTreeSet<K>>) -> &mut BTreeSet<K> {
    changed.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> Default for Records<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), changed: Mutex::default() }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Records<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.entries).finish()
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Records<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::deserialize(deserializer)?;
        Ok(Self { entries, changed: Mutex::default() })
    }
}

impl<K: Serialize + Ord, V: Serialize> Serialize for Records<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(told) = TELLING.get() else { return serializer.collect_map(&self.entries) };
        let changed = std::mem::take(&mut *lock(&self.changed));
        if told == Told::Whole {
            return serializer.collect_map(&self.entries);
        }
        let (here, gone): (Vec<_>, Vec<_>) =
            changed.iter().map(|key| (key, self.entries.get(key))).partition(|(_, value)| value.is_some());
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(CHANGED, &Members(&here))?;
        map.serialize_entry(GONE, &Members(&gone))?;
        map.end()
    }
}

struct Members<'a, K, V>(&'a [(&'a K, Option<&'a V>)]);

impl<K: Serialize, V: Serialize> Serialize for Members<'_, K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// The whole of a state as JSON. Afterwards nothing of it counts as changed.
pub(crate) fn whole<T: Serialize>(state: &T) -> serde_json::Result<Vec<u8>> {
    tell(state, Told::Whole)
}

/// A state as JSON, of each of its [`Records`] only what has changed since it was told last.
pub(crate) fn changes<T: Serialize>(state: &T) -> serde_json::Result<Vec<u8>> {
    tell(state, Told::Changes)
}

fn tell<T: Serialize>(state: &T, told: Told) -> serde_json::Result<Vec<u8>> {
    struct Over;
    impl Drop for Over {
        fn drop(&mut self) {
            TELLING.set(None);
        }
    }
    TELLING.set(Some(told));
    let _over = Over;
    serde_json::to_vec(state)
}

/// What `changes` made, over what was there before.
pub(crate) fn resolve(changes: Value, before: Value) -> Value {
    let Value::Object(mut changes) = changes else { return changes };
    let mut before = match before {
        Value::Object(before) => before,
        _ => Map::new(),
    };
    if let Some(Value::Object(changed)) = changes.remove(CHANGED) {
        before.extend(changed);
        if let Some(Value::Object(gone)) = changes.remove(GONE) {
            before.retain(|key, _| !gone.contains_key(key));
        }
        return Value::Object(before);
    }
    let resolved = changes.into_iter().map(|(key, value)| {
        let before = before.remove(&key).unwrap_or_default();
        (key, resolve(value, before))
    });
    Value::Object(resolved.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Default, Serialize, Deserialize)]
    struct State {
        payments: Records<String, u32>,
        pushes: Records<u64, String>,
        plain: BTreeMap<String, u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }

    fn json_of(bytes: serde_json::Result<Vec<u8>>) -> Value {
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    }

    #[test]
    fn only_what_was_touched_is_told_and_only_once() {
        let mut state = State::default();
        for n in 0..100 {
            state.payments.insert(format!("P-{n}"), n);
        }
        assert_eq!(json_of(whole(&state))["payments"].as_object().unwrap().len(), 100);
        assert_eq!(json_of(changes(&state))["payments"], json!({ "$changed": {}, "$gone": {} }));

        *state.payments.get_mut("P-7").unwrap() = 70;
        state.payments.remove("P-8");
        assert_eq!(state.payments.remove("P-8"), None);
        state.payments.retain(|_, value| *value != 9);
        for value in state.payments.select_mut(|value| *value == 10) {
            *value = 100;
        }
        assert!(state.payments.get("P-11").is_some() && state.payments.get_mut("none").is_none());
        state.pushes.insert(1, "one".into());
        assert_eq!(
            serde_json::to_value(&state).unwrap()["pushes"],
            json!({ "1": "one" }),
            "for somebody else"
        );
        let told = json_of(changes(&state));
        assert_eq!(
            told["payments"],
            json!({ "$changed": { "P-10": 100, "P-7": 70 }, "$gone": { "P-8": null, "P-9": null } })
        );
        assert_eq!(told["pushes"], json!({ "$changed": { "1": "one" }, "$gone": {} }));
        assert_eq!(json_of(changes(&state))["pushes"], json!({ "$changed": {}, "$gone": {} }));
        assert_eq!(json_of(whole(&state))["pushes"], json!({ "1": "one" }), "the mode is over");
    }

    #[test]
    fn told_changes_over_what_was_there_are_the_state() {
        let mut state = State { note: Some("a".into()), ..State::default() };
        state.payments.insert("A".into(), 1);
        state.payments.insert("B".into(), 2);
        state.plain.insert("x".into(), 1);
        state.plain.insert("y".into(), 2);
        let mut file = json_of(whole(&state));
        let steps: [fn(&mut State); 5] = [
            |state| *state.payments.get_mut("A").unwrap() += 10,
            |state| assert_eq!(state.payments.remove("B"), Some(2)),
            |state| drop(state.pushes.insert(12, "twelve".into())),
            // What is no record replaces: members that are left out, and keys of plain maps, go.
            |state| (state.note, state.plain) = (None, BTreeMap::from([("z".into(), 3)])),
            |state| assert_eq!(state.payments.insert("B".into(), 5), None),
        ];
        for step in steps {
            step(&mut state);
            file = resolve(json_of(changes(&state)), file);
            assert_eq!(file, json_of(whole(&state)));
            // `whole` has taken note of nothing that `changes` had not told.
            let back: State = serde_json::from_value(file.clone()).unwrap();
            assert_eq!(json_of(whole(&back)), file);
        }
        assert_eq!(resolve(json_of(changes(&state)), Value::Null)["plain"], json!({ "z": 3 }));
    }
}
