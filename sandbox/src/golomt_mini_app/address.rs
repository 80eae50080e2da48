//! The addresses of mini apps: which are taken, and how a token is joined to one.

/// A mini app is a page of the web; nothing else may stand behind a link here.
///
/// # Errors
///
/// Says what is wrong with the address.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    let parsed = url::Url::parse(url).map_err(|error| format!("{url:?} is not an address: {error}"))?;
    if matches!(parsed.scheme(), "http" | "https") {
        return Ok(());
    }
    Err(format!("{url:?} must start with http or https"))
}

/// The mini app's address with a token.
pub(super) fn with_token(url: &str, token: &str, form: &str) -> String {
    if form == "appended" {
        return format!("{url}?token={token}");
    }
    let (front, fragment) = url.split_once('#').map_or((url, String::new()), |(a, b)| (a, format!("#{b}")));
    let joint = match front.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{front}{joint}token={token}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_joined_to_any_address() {
        for (url, joined) in [
            ("https://s/app", "https://s/app?token=T"),
            ("https://s/app?", "https://s/app?token=T"),
            ("https://s/app?a=1", "https://s/app?a=1&token=T"),
            ("https://s/app?a=1#x", "https://s/app?a=1&token=T#x"),
        ] {
            assert_eq!(with_token(url, "T", "parameter"), joined);
        }
        assert_eq!(with_token("https://s/app?token=", "T", "appended"), "https://s/app?token=?token=T");
        assert!(check_url("https://s").is_ok() && check_url("javascript:alert(1)").is_err());
        assert!(check_url("nonsense").is_err());
    }
}
