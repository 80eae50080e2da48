//! The page that plays the customer's phone.

use tulbur_sandbox::PaymentState;

use super::support::{code, start};

#[tokio::test]
async fn what_arrived_is_paid_refused_or_left() {
    let (_sandbox, till, bank) = start().await;
    for number in ["PAY", "REFUSE", "LEAVE"] {
        till.phone(number, "1234567.5").await;
    }
    let list = till.get("/-/phone").await.text;
    for number in ["PAY", "REFUSE", "LEAVE"] {
        assert!(list.contains(&format!("data-invoice=\"{number}\"")), "{list}");
    }
    assert!(list.contains("1,234,567.50 ₮"), "{list}");
    assert!(!till.get("/-/phone?phone=88000000").await.text.contains("data-invoice"));
    assert!(till.get("/-/phone?phone=99112233").await.text.contains("data-invoice=\"PAY\""));

    for (number, action, state) in [
        ("PAY", "pay", PaymentState::Paid),
        ("REFUSE", "refuse", PaymentState::Declined),
        ("LEAVE", "expire", PaymentState::Expired),
    ] {
        let path = format!("/-/phone/{number}");
        let page = till.get(&path).await.text;
        assert!(page.contains("id=\"pay\"") && page.contains("data-state=\"open\""), "{page}");
        let reply = till.form(&path, &[("action", action)]).await;
        assert_eq!((reply.status, reply.location()), (303, path.as_str()));
        let page = till.get(&path).await.text;
        assert!(page.contains(&format!("data-state=\"{}\"", state.name())), "{page}");
        assert!(!page.contains("id=\"pay\""), "{page}");
        assert_eq!(bank.payment(number).unwrap().state, state);
        // A second click, or a late one, changes nothing.
        till.form(&path, &[("action", "pay")]).await;
        assert_eq!(bank.payment(number).unwrap().state, state);
    }
    assert_eq!(bank.payment("PAY").unwrap().debits, 1);
    assert!(!till.get("/-/phone").await.text.contains("data-invoice"));
    assert_eq!(till.form("/-/phone/PAY", &[("action", "steal")]).await.status, 400);
    assert_eq!(till.form("/-/phone/NONE", &[("action", "pay")]).await.status, 404);
    assert_eq!(till.get("/-/phone/NONE").await.status, 404);
    assert!(till.get("/-/page.css").await.text.contains(".amount"));
}

#[tokio::test]
async fn a_code_or_a_link_is_scanned_by_its_text() {
    let (_sandbox, till, bank) = start().await;
    let text = till.qr("A/1 ө", "1100").await;
    let link = till.deeplink("B", "5").await;
    let scan = async |code: &str| till.form("/-/phone/scan", &[("code", code)]).await;

    let reply = scan(&format!("  {text}\n")).await;
    assert_eq!(reply.status, 303);
    let page = till.get(reply.location()).await;
    assert!(
        page.text.contains("data-invoice=\"A/1 ө\"") && page.text.contains("1,100.00 ₮"),
        "{}",
        page.text
    );
    till.form(reply.location(), &[("action", "pay")]).await;
    assert_eq!(code(&till.check("A/1 ө", "1100").await), "00");

    let page = bank.payment("B").unwrap().pages["customer's phone"].clone();
    for form in [link.as_str(), link.strip_prefix("socialpay-payment://key=").unwrap()] {
        assert!(page.ends_with(scan(form).await.location()), "{form}");
    }
    let qpay = bank.payment("B").unwrap().details["qr"].as_str().unwrap().to_owned();
    let qpay = format!("socialpay-payment://q?qPay_QRcode={qpay}");
    assert_eq!(scan(&qpay).await.status, 303);

    let spoiled = text.replace("54041100", "54041900");
    let foreign = "00020101021226400014A00000084300010104009502106128328515520489995303496540450005802MN\
                   5907Enkhsod6011ULAANBAATAR61051100062200116INV173104207832280020163044d2d";
    for (code, words) in [
        ("", "Nothing was scanned"),
        ("hello", "This is no payment code"),
        (spoiled.as_str(), "spoiled"),
        (foreign, "belongs to no invoice here"),
        ("socialpay-payment://key=abc", "byte for byte"),
    ] {
        let reply = scan(code).await;
        assert_eq!(reply.status, 422, "{code}");
        assert!(reply.text.contains("id=\"problem\"") && reply.text.contains(words), "{}", reply.text);
    }
}

#[tokio::test]
async fn the_page_is_the_sandbox_s_own_and_runs_no_foreign_code() {
    let (_sandbox, till, bank) = start().await;
    till.phone("<script>alert(1)</script>", "5").await;
    let before = bank.requests().len();
    let page = till.get("/-/phone").await;
    assert!(!page.text.contains("<script>"), "{}", page.text);
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert_eq!(bank.requests().len(), before);
}
