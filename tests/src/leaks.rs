//! The search of a page for what must not be shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What a page of the shop must never show.
///
/// The secrets are searched as they are, in hexadecimal and in base64; a card token is known by its shape.
pub fn leaks(page: &str, secrets: &[&str], card_numbers: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        let forms = [(*secret).to_owned(), hex::encode(secret), BASE64.encode(secret)];
        found.extend(forms.into_iter().filter(|form| page.contains(form.trim_end_matches('='))));
    }
    let joined: String =
        page.replace("&nbsp;", "").chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
    found.extend(
        card_numbers.iter().filter(|number| joined.contains(**number)).map(|number| (*number).to_owned()),
    );
    // The text of a QR code has long numbers of its own.
    let texts = page.split(['<', '>', '"']).filter(|text| !text.starts_with("000201"));
    let runs = texts.flat_map(|text| text.split(|c: char| !c.is_ascii_hexdigit()));
    found.extend(runs.filter(|run| run.len() >= 64 || is_galaxy_token(run)).map(str::to_owned));
    found
}

/// Four digits and thirty-two capital hexadecimal ones, as the sandbox makes them.
fn is_galaxy_token(run: &str) -> bool {
    run.len() == 36 && !run.bytes().any(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_shown_is_found_in_every_form() {
        let secrets = ["a-merchants-secret"];
        let numbers = ["9999990000000006"];
        let token = "0f".repeat(32);
        let leak = |page: &str| leaks(page, &secrets, &numbers).len();
        assert_eq!(leak("<p>a-merchants-secret</p>"), 1);
        assert_eq!(leak(&format!("<p>{}</p>", hex::encode(secrets[0]))), 1);
        assert_eq!(leak(&format!("<p>{}</p>", BASE64.encode(secrets[0]))), 1);
        assert_eq!(leak("<p>9999990000000006</p>"), 1);
        assert_eq!(leak("<p>9999 9900 0000 0006</p>"), 1);
        assert_eq!(leak("<p>9999-9900&nbsp;0000 0006</p>"), 1);
        assert_eq!(leak(&format!("<a href=\"/x/{token}\">")), 1);
        assert_eq!(leak(&format!("<code>0005{}</code>", token[..32].to_uppercase())), 1);
        let innocent = format!("<p>999999******0006 {} 1,500 ₮</p>", &token[..32]);
        assert_eq!(leak(&innocent), 0);
        let payload = format!("000201{}", "0102".repeat(20));
        assert_eq!(leak(&format!("<code translate=\"no\">{payload}</code>")), 0);
        assert_eq!(leak(&format!("<code translate=\"no\">{payload}</code>{token}")), 1);
    }
}
