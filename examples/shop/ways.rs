//! The ways to pay, and what each asks of which account.

use tulbur::core::{AccountName, Language, Options, PageKind, Payer, Way};
use tulbur::galaxy_pay::{Checkout, ExpiryUnit, GalaxyPayOptions, LinkMethod, Method, PaymentLink};
use tulbur::golomt_ecommerce::{GolomtEcommerceOptions, Page};
use tulbur::payments::OpenPayment;

use crate::goods::ShopOrder;
use crate::{GALAXY_PAY, GOLOMT_ECOMMERCE, GOLOMT_INSTORE, QPAY, Result};

/// One way to pay: the word in the form, and the words on the button.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WayToPay {
    pub(crate) word: &'static str,
    pub(crate) text: &'static str,
    pub(crate) account: &'static str,
    /// The provider's page that the customer is sent to at once; our checkout page if it has none.
    pub(crate) page: Option<PageKind>,
    /// Whether it saves the card.
    pub(crate) saves: bool,
    /// Whether the customer's phone number is needed.
    pub(crate) phone: bool,
}

const fn way(word: &'static str, text: &'static str, account: &'static str) -> WayToPay {
    WayToPay { word, text, account, page: None, saves: false, phone: false }
}

/// For what is sold in Mongolia.
const MONGOLIA: [WayToPay; 6] = [
    WayToPay { page: Some(PageKind::Card), ..way("card", "Card", GOLOMT_ECOMMERCE) },
    WayToPay { page: Some(PageKind::SocialPay), ..way("socialpay", "SocialPay", GOLOMT_ECOMMERCE) },
    way("qpay", "QPay: any bank's app", QPAY),
    way("socialpay-qr", "SocialPay QR", GOLOMT_INSTORE),
    WayToPay { phone: true, ..way("socialpay-phone", "SocialPay to my phone", GOLOMT_INSTORE) },
    WayToPay {
        page: Some(PageKind::Card),
        saves: true,
        ..way("card-saving", "Card, and save it", GOLOMT_ECOMMERCE)
    },
];

/// For what is sold in Vietnam.
const VIETNAM: [WayToPay; 6] = [
    WayToPay { page: Some(PageKind::Choice), ..way("galaxy", "Card, wallet or bank", GALAXY_PAY) },
    way("galaxy-qr", "VietQR", GALAXY_PAY),
    WayToPay { page: Some(PageKind::Choice), ..way("galaxy-link", "Payment link", GALAXY_PAY) },
    way("galaxy-modal", "In this page", GALAXY_PAY),
    WayToPay {
        page: Some(PageKind::Choice),
        saves: true,
        ..way("galaxy-saving", "Pay, and save the card", GALAXY_PAY)
    },
    WayToPay { page: Some(PageKind::Card), ..way("galaxy-hold", "Hold now, take later", GALAXY_PAY) },
];

/// The ways to pay an order of this country.
pub(crate) fn ways(country: Country) -> &'static [WayToPay] {
    match country {
        Country::Mongolia => &MONGOLIA,
        Country::Vietnam => &VIETNAM,
    }
}

/// Where something is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Country {
    Mongolia,
    Vietnam,
}

impl WayToPay {
    pub(crate) fn find(country: Country, word: &str) -> Result<&'static Self> {
        ways(country).iter().find(|way| way.word == word).ok_or_else(|| {
            let words: Vec<&str> = ways(country).iter().map(|way| way.word).collect();
            format!("the ways to pay are {} and saved", words.join(", ")).into()
        })
    }

    /// What is asked of the account.
    pub(crate) fn request(
        &self,
        order: &ShopOrder,
        language: Language,
        phone: Option<String>,
    ) -> Result<OpenPayment> {
        let account = AccountName::parse(self.account)?;
        let request =
            OpenPayment::new(order.order.clone(), account, order.product.price(), order.product.name)
                .language(spoken_by(self.account, language));
        Ok(match self.word {
            "card" | "card-saving" | "socialpay" => {
                let mut options = GolomtEcommerceOptions::default();
                options.page =
                    Some(if self.page == Some(PageKind::SocialPay) { Page::SocialPay } else { Page::Card });
                request.options(Options::new(&options)?)
            }
            // On a phone the link opens the app; on a desk the same is shown as a QR.
            "socialpay-qr" => request.way(Way::App),
            "socialpay-phone" => {
                let phone = phone.filter(|phone| !phone.trim().is_empty()).ok_or("type your phone number")?;
                let payer = Payer { phone: Some(phone.trim().to_owned()), ..Payer::default() };
                request.way(Way::Phone).payer(payer)
            }
            "qpay" | "galaxy-qr" => request.way(Way::Qr),
            "galaxy-link" => {
                let methods = [LinkMethod::Napas, LinkMethod::Mpgs, LinkMethod::QrPay];
                let mut options = GalaxyPayOptions::default();
                options.payment_link =
                    Some(PaymentLink::new(order.product.name, 30, ExpiryUnit::Minute, methods));
                request.options(Options::new(&options)?)
            }
            "galaxy-modal" => {
                let mut options = GalaxyPayOptions::default();
                options.checkout = Some(Checkout::default());
                options.method = Some(Method::International);
                request.options(Options::new(&options)?)
            }
            "galaxy-hold" => {
                let mut options = GalaxyPayOptions::default();
                options.method = Some(Method::International);
                request.options(Options::new(&options)?).capture_later()
            }
            _ => request,
        })
    }
}

/// What an account must be told to charge a card that it saved: Galaxy Pay the kind of the card.
pub(crate) fn charge_options(account: &str, brand: &str) -> Result<Option<Options>> {
    if account != GALAXY_PAY {
        return Ok(None);
    }
    let mut options = GalaxyPayOptions::default();
    // What is no scheme, no wallet and no known bank is the domestic switch.
    options.method = Some(Method::of_account_brand(brand).unwrap_or(Method::Domestic));
    Ok(Some(Options::new(&options)?))
}

/// The customer's language if the provider has it, else English.
pub(crate) fn spoken_by(account: &str, language: Language) -> Language {
    let has = match account {
        GALAXY_PAY => language != Language::Mn,
        _ => language != Language::Vi,
    };
    if has { language } else { Language::En }
}
