//! The two files that the pages load, from the same origin.

use tulbur_core::Bytes;

use crate::http::WebResponse;

/// A file of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asset {
    Style,
    Script,
}

impl Asset {
    pub(crate) fn find(name: &str) -> Option<Self> {
        [Self::Style, Self::Script].into_iter().find(|asset| asset.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Style => "tulbur.css",
            Self::Script => "tulbur.js",
        }
    }

    fn content(self) -> &'static str {
        match self {
            Self::Style => include_str!("../assets/tulbur.css"),
            Self::Script => include_str!("../assets/tulbur.js"),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Style => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
        }
    }

    /// Changes whenever the content does, so that a browser may keep what it has under this address.
    const fn version(self) -> u64 {
        const STYLE: u64 = fingerprint(include_bytes!("../assets/tulbur.css"));
        const SCRIPT: u64 = fingerprint(include_bytes!("../assets/tulbur.js"));
        match self {
            Self::Style => STYLE,
            Self::Script => SCRIPT,
        }
    }

    /// Its address below the mount.
    pub(crate) fn address(self) -> String {
        format!("assets/{}?v={:016x}", self.name(), self.version())
    }

    pub(crate) fn response(self, query: Option<&str>) -> WebResponse {
        // An old page may ask a new server: then what it gets is not what its address names.
        let kept = query == Some(&format!("v={:016x}", self.version()));
        let cache = if kept { "public, max-age=31536000, immutable" } else { "no-cache" };
        WebResponse::new(200, self.content_type(), Bytes::from_static(self.content().as_bytes()))
            .with("cache-control", cache)
    }
}

/// FNV-1a: tells contents apart, proves nothing.
pub(crate) const fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_keeps_only_what_its_address_names() {
        for asset in [Asset::Style, Asset::Script] {
            let address = asset.address();
            let (path, query) = address.split_once('?').unwrap();
            assert_eq!(Asset::find(path.strip_prefix("assets/").unwrap()), Some(asset));
            let cached = |query| {
                let answer = asset.response(query);
                answer.headers.into_iter().find(|(name, _)| *name == "cache-control").unwrap().1
            };
            assert!(cached(Some(query)).contains("immutable"));
            assert_eq!(cached(Some("v=0")), "no-cache");
            assert_eq!(cached(None), "no-cache");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for asset in [Asset::Style, Asset::Script] {
            for outside in ["http:", "https:", "//cdn", "@import", "url("] {
                assert!(!asset.content().contains(outside), "{} has {outside}", asset.name());
            }
        }
    }
}
