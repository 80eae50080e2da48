//! The list of settled payments: what no trait covers, because it is no payment.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use tulbur_core::wire::{Field, Text, needed, read};
use tulbur_core::{
    CardInfo, CardToken, Effect, Error, ErrorKind, FreeText, Money, MoneyError, Result, Timestamp,
};

use crate::client::GolomtEcommerce;
use crate::info::SETTLEMENTS;
use crate::sign::{self, CURRENCY};
use crate::wire::SettlementRequest;

/// A day in the bank's calendar, Ulaanbaatar's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// From year, month and day.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when the calendar has no such day.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self> {
        let wrong = || Error::invalid("date", format!("{year}-{month}-{day} is no day of the calendar"));
        jiff::civil::Date::new(year, month, day).map(Self).map_err(|_| wrong())
    }

    /// Reads `2022-07-29`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when the text has another shape, or the calendar has no such day.
    pub fn parse(text: &str) -> Result<Self> {
        jiff::civil::Date::strptime("%Y-%m-%d", text)
            .map(Self)
            .map_err(|_| Error::invalid("date", "it is no day written like 2022-07-29"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Asks for the settled payments of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettlementQuery {
    /// The card. That this field of the bank's is a card's token is inferred from its description.
    pub card: CardToken,
    /// The first day.
    pub start: Date,
    /// The last day.
    pub end: Date,
    /// The page, from 0.
    pub page: u32,
    /// How many entries a page has; 50 unless set. The bank's limit is unknown.
    pub size: u32,
}

impl SettlementQuery {
    /// The first page of a card's payments, 50 to a page.
    pub fn new(card: CardToken, start: Date, end: Date) -> Self {
        Self { card, start, end, page: 0, size: 50 }
    }
}

/// One page of settled payments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettlementPage {
    /// The entries.
    pub settlements: Vec<Settlement>,
    /// Whether it is the first page.
    pub first: bool,
    /// Whether it is the last page.
    pub last: bool,
    /// How many pages there are.
    pub total_pages: u64,
    /// How many entries there are.
    pub total_elements: u64,
}

/// One settled payment. The bank signs none of this: it is for reports, and moves no payment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// The bank's number of the entry.
    pub id: u64,
    /// The merchant's number.
    pub merchant_id: Option<String>,
    /// The terminal's number.
    pub terminal_id: Option<String>,
    /// The batch it was settled in.
    pub batch_number: Option<String>,
    /// The terminal's own invoice number; not the bank's invoice of a page.
    pub invoice_number: Option<String>,
    /// The card, masked.
    pub card: CardInfo,
    /// The card's token.
    pub token: Option<CardToken>,
    /// The amount.
    pub amount: Money,
    /// The merchant's own number of the payment.
    pub merchant_invoice: Option<String>,
    /// The acquirer's code, two digits here; `00` in the bank's sample of a success.
    pub response_code: Option<FreeText>,
    /// The words for that code.
    pub response_text: Option<FreeText>,
    /// Ulaanbaatar's time of the payment, `HHmmss`.
    pub local_time: Option<String>,
    /// Ulaanbaatar's day of the payment, `MMdd`; the year is that of `requested_at` there.
    pub local_date: Option<String>,
    /// The acquirer's reference, twelve digits.
    pub system_reference: Option<String>,
    /// The issuer's approval.
    pub approval_code: Option<String>,
    /// `freeText1` to `freeText3`; the second holds `CHECKED` in the bank's sample, and no meaning is documented.
    pub free_texts: [Option<FreeText>; 3],
    /// When the payment was asked for.
    pub requested_at: Option<Timestamp>,
    /// When it was reversed, if it was.
    pub reversed_at: Option<Timestamp>,
    /// When it was checked.
    pub checked_at: Option<Timestamp>,
    /// `NEW` in the bank's sample; other values are not documented.
    pub transfer_status: Option<FreeText>,
}

impl GolomtEcommerce {
    /// Reads one page of the settled payments of a card.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] without the setting `merchant_id`; otherwise as a query's.
    pub async fn settlements(&self, query: &SettlementQuery) -> Result<SettlementPage> {
        self.named(SETTLEMENTS, self.settlement_page(query).await)
    }

    /// The pages of a query, one after another.
    pub fn settlement_pages(&self, query: SettlementQuery) -> SettlementPages<'_> {
        SettlementPages { bank: self, next: Some(query) }
    }

    async fn settlement_page(&self, query: &SettlementQuery) -> Result<SettlementPage> {
        let merchant_id = self.config.merchant_id.as_deref().ok_or_else(|| {
            let why = "the settlement list needs the merchant's number from the bank";
            Error::new(ErrorKind::Configuration, why).with_field("merchant_id")
        })?;
        if query.size == 0 {
            return Err(Error::invalid("size", "a page has at least one entry"));
        }
        if query.end < query.start {
            return Err(Error::invalid("end", "the last day is before the first"));
        }
        let token = query.card.expose();
        let mut address = self.address(&["api", "getSettlementDetails"]);
        address
            .query_pairs_mut()
            .append_pair("page", &query.page.to_string())
            .append_pair("size", &query.size.to_string())
            .append_pair("start", &query.start.to_string())
            .append_pair("end", &query.end.to_string());
        let body = SettlementRequest {
            checksum: &self.keys.sign(&sign::settlement_request(merchant_id, token)),
            token,
            merchant_id,
        };
        let response = self.call(SETTLEMENTS, Effect::Read, address, &body, Some(&query.card), None).await?;
        Self::read_answer(Effect::Read, &response, SettlementPage::read)
    }
}

/// The pages of a query, one after another.
///
/// ```no_run
/// # async fn list(bank: &tulbur_golomt_ecommerce::GolomtEcommerce, query: tulbur_golomt_ecommerce::SettlementQuery)
/// #     -> tulbur_core::Result<()> {
/// let mut pages = bank.settlement_pages(query);
/// while let Some(page) = pages.next().await? {
///     for settled in page.settlements {
///         println!("{} {}", settled.id, settled.amount);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SettlementPages<'a> {
    bank: &'a GolomtEcommerce,
    next: Option<SettlementQuery>,
}

impl SettlementPages<'_> {
    /// The next page; none after the last. A page that failed can be asked for again.
    ///
    /// # Errors
    /// As [`GolomtEcommerce::settlements`].
    pub async fn next(&mut self) -> Result<Option<SettlementPage>> {
        let Some(query) = &mut self.next else { return Ok(None) };
        let page = self.bank.settlements(query).await?;
        query.page += 1;
        // Three signs of the end, so that one of them missing does not make it endless.
        if page.last || page.settlements.is_empty() || u64::from(query.page) >= page.total_pages {
            self.next = None;
        }
        Ok(Some(page))
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ListFields<'a> {
    content: Vec<ItemFields<'a>>,
    pageable: PageableFields,
}

#[derive(Deserialize)]
struct PageableFields {
    first: bool,
    last: bool,
    #[serde(rename = "totalPages")]
    pages: u64,
    #[serde(rename = "totalElements")]
    elements: u64,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ItemFields<'a> {
    id: u64,
    #[serde(rename = "merchantId")]
    merchant_id: Option<Text<'a>>,
    #[serde(rename = "terminalId")]
    terminal_id: Option<Text<'a>>,
    #[serde(rename = "batchNumber")]
    batch_number: Option<Text<'a>>,
    #[serde(rename = "invoiceNumber")]
    invoice_number: Option<Text<'a>>,
    #[serde(rename = "cardNumber")]
    card_number: Option<Text<'a>>,
    token: Option<Text<'a>>,
    amount: Field<'a>,
    #[serde(rename = "merchantInvoice")]
    merchant_invoice: Option<Text<'a>>,
    #[serde(rename = "respCode")]
    response_code: Option<Text<'a>>,
    #[serde(rename = "respDesc")]
    response_text: Option<Text<'a>>,
    #[serde(rename = "tranTime")]
    local_time: Option<Text<'a>>,
    #[serde(rename = "tranDate")]
    local_date: Option<Text<'a>>,
    #[serde(rename = "sysReference")]
    system_reference: Option<Text<'a>>,
    #[serde(rename = "approvalCode")]
    approval_code: Option<Text<'a>>,
    #[serde(rename = "freeText1")]
    free_text_1: Option<Text<'a>>,
    #[serde(rename = "freeText2")]
    free_text_2: Option<Text<'a>>,
    #[serde(rename = "freeText3")]
    free_text_3: Option<Text<'a>>,
    #[serde(rename = "requestDate")]
    requested_at: Option<Text<'a>>,
    #[serde(rename = "reversedDate")]
    reversed_at: Option<Text<'a>>,
    #[serde(rename = "checkedDate")]
    checked_at: Option<Text<'a>>,
    #[serde(rename = "transferStatus")]
    transfer_status: Option<Text<'a>>,
}

fn malformed(field: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::Malformed, why).with_field(field)
}

impl SettlementPage {
    fn read(body: &[u8]) -> Result<Self> {
        let ListFields { content, pageable } = read(body)?;
        Ok(Self {
            settlements: content.into_iter().map(Settlement::of).collect::<Result<_>>()?,
            first: pageable.first,
            last: pageable.last,
            total_pages: pageable.pages,
            total_elements: pageable.elements,
        })
    }
}

impl Settlement {
    fn of(item: ItemFields<'_>) -> Result<Self> {
        let text = |field: Option<Text<'_>>| field.map(|text| Cow::from(text).into_owned());
        let words = |field: Option<Text<'_>>| field.map(FreeText::new);
        let unfit = |e: MoneyError| malformed("amount", &e.to_string()).with_source(e);
        Ok(Self {
            id: item.id,
            merchant_id: text(item.merchant_id),
            terminal_id: text(item.terminal_id),
            batch_number: text(item.batch_number),
            invoice_number: text(item.invoice_number),
            card: CardInfo::masked(item.card_number.as_ref().map(AsRef::as_ref)),
            token: text(item.token).map(CardToken::new),
            amount: Money::parse(needed("amount", &item.amount)?, CURRENCY).map_err(unfit)?,
            merchant_invoice: text(item.merchant_invoice),
            response_code: words(item.response_code),
            response_text: words(item.response_text),
            local_time: text(item.local_time),
            local_date: text(item.local_date),
            system_reference: text(item.system_reference),
            approval_code: text(item.approval_code),
            free_texts: [item.free_text_1, item.free_text_2, item.free_text_3].map(words),
            requested_at: moment("requestDate", item.requested_at)?,
            reversed_at: moment("reversedDate", item.reversed_at)?,
            checked_at: moment("checkedDate", item.checked_at)?,
            transfer_status: words(item.transfer_status),
        })
    }
}

/// Reads `2022-07-29T09:00:34.000+0000`.
fn moment(name: &'static str, field: Option<Text<'_>>) -> Result<Option<Timestamp>> {
    let Some(text) = field else { return Ok(None) };
    jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text.as_ref())
        .map(|moment| Some(Timestamp::from_millis(moment.as_millisecond())))
        .map_err(|_| malformed(name, "it is no moment written like 2022-07-29T09:00:34.000+0000"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The sample of page D-settle.
    const SAMPLE: &str = r#"{"content":[{"id":2184720,"merchantId":"000000000087050","terminalId":"13161272",
        "batchNumber":"000001","invoiceNumber":"000001","cardNumber":"515023******6617",
        "token":"2d1f5b0c9a7e4d3f8b6a1c0e2f4d6b8a0c1e3f5a7b9d1c3e5f7a9b0d2c4e6f80","amount":"100",
        "merchantInvoice":"6","respCode":"00","respDesc":"Амжилттай","tranTime":"170034","tranDate":"0729",
        "sysReference":"221017684444","approvalCode":"255544","freeText1":null,"freeText2":"CHECKED",
        "freeText3":null,"requestDate":"2022-07-29T09:00:34.000+0000","reversedDate":null,
        "checkedDate":"2022-07-29T15:01:12.847+0000","transferStatus":"NEW"}],
        "pageable":{"first":true,"last":false,"totalPages":3,"totalElements":101}}"#;

    #[test]
    fn the_documented_sample_is_read() {
        let page = SettlementPage::read(SAMPLE.as_bytes()).unwrap();
        assert_eq!((page.first, page.last, page.total_pages, page.total_elements), (true, false, 3, 101));
        let one = &page.settlements[0];
        assert_eq!((one.id, one.amount), (2_184_720, Money::from_major(100, CURRENCY).unwrap()));
        assert_eq!(one.card.masked_number.as_deref(), Some("515023******6617"));
        assert_eq!(one.free_texts, [None, Some("CHECKED".into()), None]);
        assert_eq!(one.requested_at.unwrap().to_string(), "2022-07-29T09:00:34.000Z");
        // Seven hours past nine in UTC is five in the afternoon there: the entry's own local time.
        assert_eq!(one.requested_at.unwrap().format_at(8, "%H%M%S"), one.local_time.clone().unwrap());
        assert_eq!(one.checked_at.unwrap().to_string(), "2022-07-29T15:01:12.847Z");
        assert_eq!(one.reversed_at, None);
        assert!(!format!("{page:?}").contains("2d1f5b0c"), "a token is not printed");
    }

    #[test]
    fn what_is_not_as_documented_is_named() {
        for (from, to, field) in [
            ("\"amount\":\"100\"", "\"amount\":\"1,000\"", "amount"),
            ("\"amount\":\"100\",", "", "amount"),
            ("\"id\":2184720", "\"id\":-1", "content[0].id"),
            ("\"last\":false", "\"last\":\"no\"", "pageable.last"),
            ("\"totalPages\":3", "\"totalPages\":-3", "pageable.totalPages"),
            ("09:00:34.000+0000", "yesterday", "requestDate"),
            ("\"respCode\":\"00\"", "\"respCode\":0", "content[0].respCode"),
            ("\"pageable\"", "\"page\"", "pageable"),
            ("\"content\"", "\"contents\"", "content"),
        ] {
            assert!(SAMPLE.contains(from));
            let error = SettlementPage::read(SAMPLE.replace(from, to).as_bytes()).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Malformed, Some(field)));
        }
    }

    #[test]
    fn days_are_written_as_the_bank_reads_them() {
        assert_eq!(Date::new(2022, 7, 9).unwrap().to_string(), "2022-07-09");
        assert_eq!(Date::parse("2022-07-09").unwrap(), Date::new(2022, 7, 9).unwrap());
        for bad in ["2022-02-30", "0729", "2022-07-09T00:00", ""] {
            assert_eq!(Date::parse(bad).unwrap_err().field(), Some("date"), "{bad}");
        }
        assert!(Date::new(2022, 13, 1).is_err());
    }

    proptest! {
        #[test]
        fn no_list_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..1000, byte: u8) {
            drop(SettlementPage::read(&body));
            let mut changed = SAMPLE.as_bytes().to_vec();
            let at = at % changed.len();
            changed[at] = byte;
            drop(SettlementPage::read(&changed));
        }
    }
}
