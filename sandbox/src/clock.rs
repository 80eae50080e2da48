//! The one place that asks the machine for the time.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, printed and stored as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The machine's present time, cut to milliseconds so that a stored moment equals the one in memory.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the sandbox's clock; everything else is given its reading"
    )]
    pub(crate) fn now() -> Self {
        let now = jiff::Timestamp::now();
        Self(jiff::Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now))
    }

    /// Milliseconds since the start of 1970.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// This moment moved by some seconds; a moment outside the calendar stays where it is.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// This moment moved by some milliseconds; a moment outside the calendar stays where it is.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.checked_add(SignedDuration::from_millis(millis)).unwrap_or(self.0))
    }

    /// Formats this moment with a `strftime` pattern as seen at `offset_hours` from UTC, for wire formats.
    pub fn format(self, pattern: &str, offset_hours: i8) -> String {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(offset_hours));
        self.0.to_zoned(zone).strftime(pattern).to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"), f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        jiff::Timestamp::from_str(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_state_file_and_wears_other_formats() {
        let now = Timestamp::now();
        let text = serde_json::to_string(&now).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), now);

        let fixed: Timestamp = serde_json::from_str("\"2020-06-02T10:51:56.359Z\"").unwrap();
        assert_eq!(fixed.to_string(), "2020-06-02T10:51:56.359Z");
        assert_eq!(fixed.format("%Y-%m-%dT%H:%M:%S%.3f%z", 0), "2020-06-02T10:51:56.359+0000");
        assert_eq!(fixed.format("%H%M%S", 8), "185156");
        assert_eq!(fixed.plus_seconds(-1).to_string(), "2020-06-02T10:51:55.359Z");
    }
}
