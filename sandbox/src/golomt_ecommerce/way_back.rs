//! The browser's way back to the merchant.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::state::{BankPayment, ReturnType};
use super::texts::Language;

/// What may not stand in a query's value. The slash stays as it is and blanks become pluses, as seen live in
/// `desc=Acquirer+/+Issuer+Host+Declined`.
const QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b' ');

/// What may not stand in a `Location`: anything that is not visible ASCII. The merchant's own characters stay.
const LOCATION: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// Where the browser goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WayBack {
    /// By GET to this address.
    Get(String),
    /// By a form to this address.
    Post(String, Vec<(&'static str, String)>),
}

impl WayBack {
    /// The way back of a payment on a page; `None` for one without a page.
    ///
    /// The parameter called `invoice` is the merchant's `transactionId`.
    pub(super) fn of(
        payment: &BankPayment,
        language: Language,
        callback_query: &str,
        mobile_parameters: &str,
    ) -> Option<Self> {
        let page = payment.page.as_ref()?;
        let parameters = vec![
            ("invoice", payment.transaction_id.clone()),
            ("status_code", payment.code.clone().unwrap_or_default()),
            ("desc", payment.text(language.is_mongolian()).to_owned()),
        ];
        Some(match page.return_type {
            ReturnType::Post => Self::Post(page.callback.clone(), parameters),
            ReturnType::Mobile if mobile_parameters == "none" => Self::Get(page.callback.clone()),
            ReturnType::Get | ReturnType::Mobile => {
                Self::Get(join(&page.callback, &parameters, callback_query == "second-question-mark"))
            }
        })
    }

    /// The answer that sends a browser there at once; a form needs a page instead.
    pub(super) fn redirect(address: &str) -> Response {
        let location: String = utf8_percent_encode(address, LOCATION).collect();
        match HeaderValue::from_str(&location) {
            Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

fn join(callback: &str, parameters: &[(&str, String)], second_question_mark: bool) -> String {
    let (address, fragment) =
        callback.split_once('#').map_or((callback, None), |(left, right)| (left, Some(right)));
    let query: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)).replace(' ', "+"))
        .collect();
    let separator = match address.rfind('?') {
        None => "?",
        Some(_) if second_question_mark => "?",
        Some(at) if at + 1 == address.len() => "",
        Some(_) => "&",
    };
    let mut out = format!("{address}{separator}{}", query.join("&"));
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_joined_and_written_as_seen_live() {
        let parameters = [
            ("invoice", "A-1".to_owned()),
            ("status_code", "179".to_owned()),
            ("desc", "Acquirer / Issuer Host Declined".to_owned()),
        ];
        let tail = "invoice=A-1&status_code=179&desc=Acquirer+/+Issuer+Host+Declined";
        for (callback, second, expected) in [
            ("https://s.mn/b", false, format!("https://s.mn/b?{tail}")),
            ("https://s.mn/b?x=1", false, format!("https://s.mn/b?x=1&{tail}")),
            ("https://s.mn/b?x=1", true, format!("https://s.mn/b?x=1?{tail}")),
            ("https://s.mn/b?", false, format!("https://s.mn/b?{tail}")),
            ("https://s.mn/b#top", false, format!("https://s.mn/b?{tail}#top")),
            ("myapp://paid", false, format!("myapp://paid?{tail}")),
        ] {
            assert_eq!(join(callback, &parameters, second), expected);
        }
        let odd = [("invoice", "a&b=c+d%é".to_owned())];
        assert_eq!(join("https://s.mn", &odd, false), "https://s.mn?invoice=a%26b%3Dc%2Bd%25%C3%A9");
    }

    #[test]
    fn a_location_is_always_a_valid_header() {
        let response = WayBack::redirect("https://s.mn/төлбөр?a=\"<b>\"");
        let location = response.headers().get(header::LOCATION).unwrap().to_str().unwrap();
        assert_eq!(location, "https://s.mn/%D1%82%D3%A9%D0%BB%D0%B1%D3%A9%D1%80?a=%22%3Cb%3E%22");
    }
}
