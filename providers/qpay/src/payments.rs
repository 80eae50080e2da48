//! Asks how an invoice stands, and reads one payment for it.

use tulbur_core::wire::{filled, needed, read};
use tulbur_core::{
    CardInfo, ChargeRef, Effect, Error, ErrorKind, FreeText, Method, Money, PaidPart, Payment, PaymentRef,
    QueryProvider, Result, async_trait,
};

use crate::client::{Operation, QPay, body, is_id};
use crate::info::{self, CURRENCY};
use crate::status::{self, Worth};
use crate::wire::{CheckAnswer, CheckRequest, Offset, Row};

/// How many rows one page has, as published clients ask. QPay takes 1 to 1000.
const PAGE: usize = 100;
/// More pages than an invoice can have.
const MOST_PAGES: usize = 20;
/// What a bank transfer is called (`payment_type`, `transaction_type`).
pub(crate) const TRANSFER: &str = "P2P";
/// What a card payment is called. Only these are given back by the API (DOC, QG, ETAG).
const CARD: &str = "CARD";

/// One payment for an invoice, as QPay has it in its books.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PaymentDetails {
    /// QPay's id of it.
    pub id: ChargeRef,
    /// `payment_status`, in QPay's word.
    pub status: FreeText,
    /// What the payer paid. The fee is taken from it.
    pub amount: Money,
    /// QPay's fee, where the answer names one that is an amount in tögrög.
    pub fee: Option<Money>,
    /// How it was paid: `P2P` or `CARD`.
    pub method: Option<FreeText>,
    /// When, as QPay writes it: ISO 8601 in UTC.
    pub date: Option<FreeText>,
    /// The wallet, by name or by id.
    pub wallet: Option<FreeText>,
    /// What may be shown of the card.
    pub card: CardInfo,
    worth: Worth,
}

impl PaymentDetails {
    /// Whether the money is there: it was paid and not given back.
    pub fn is_there(&self) -> bool {
        self.worth == Worth::There
    }

    /// Whether the money was there and was given back.
    pub fn is_returned(&self) -> bool {
        self.worth == Worth::Returned
    }

    pub(crate) fn is_transfer(&self) -> bool {
        self.method.as_deref() == Some(TRANSFER)
    }
}

/// A row of a check. Only a row that is money has an amount here.
struct Found {
    id: ChargeRef,
    word: FreeText,
    worth: Worth,
    amount: Option<Money>,
    method: Option<FreeText>,
}

fn malformed(field: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::Malformed, why).with_field(field)
}

fn untrusted(field: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::Untrusted, why).with_field(field)
}

/// The amount of a row that is money. Money of another currency counts for nothing here and is never passed over: the
/// whole answer is refused, so that a person sees it.
fn money(row: &Row<'_>) -> Result<Money> {
    if needed("payment_currency", &row.payment_currency)? != CURRENCY.code() {
        return Err(untrusted("payment_currency", "the money is in another currency than tögrög"));
    }
    let amount = needed("payment_amount", &row.payment_amount)?;
    let amount = Money::parse(amount, CURRENCY).ok().filter(|amount| amount.is_positive());
    amount.ok_or_else(|| malformed("payment_amount", "it is no amount in tögrög"))
}

fn payment_id(row: &Row<'_>) -> Result<ChargeRef> {
    let id = needed("payment_id", &row.payment_id)?;
    let id = ChargeRef::parse(id).ok().filter(|id| is_id(id.as_str()));
    id.ok_or_else(|| malformed("payment_id", "it is no id of a payment"))
}

fn found(row: &Row<'_>) -> Result<Found> {
    let word = needed("payment_status", &row.payment_status)?;
    let worth = status::of_word(word);
    let is_money = matches!(worth, Worth::There | Worth::Returned);
    Ok(Found {
        id: payment_id(row)?,
        word: FreeText::new(word),
        worth,
        amount: is_money.then(|| money(row)).transpose()?,
        method: filled(&row.payment_type).map(FreeText::new),
    })
}

/// One page of a check: how many rows there are in all, where it says so, and its own.
fn page(answer: &[u8]) -> Result<(Option<usize>, Vec<Found>)> {
    let answer: CheckAnswer<'_> = read(answer)?;
    let count = filled(&answer.count).map(str::parse).transpose();
    let count = count.map_err(|_| malformed("count", "it is no number of rows"))?;
    let rows = answer.rows.ok_or_else(|| malformed("rows", "it is missing"))?;
    Ok((count, rows.iter().map(found).collect::<Result<_>>()?))
}

/// Reads one payment, which must be the one asked about and belong to the invoice.
fn details(answer: &[u8], invoice: &str, asked: &ChargeRef) -> Result<PaymentDetails> {
    let row: Row<'_> = read(answer)?;
    let id = payment_id(&row)?;
    if id != *asked {
        return Err(untrusted("payment_id", "the answer is about another payment than the one asked about"));
    }
    let object = filled(&row.object_type).unwrap_or("INVOICE");
    if object != "INVOICE" || needed("object_id", &row.object_id)? != invoice {
        return Err(untrusted("object_id", "the payment belongs to another invoice"));
    }
    let word = needed("payment_status", &row.payment_status)?;
    let cards = [&row.card_transactions, &row.misspelt_card_transactions].into_iter().flatten().flatten();
    let card = cards.into_iter().next();
    Ok(PaymentDetails {
        id,
        status: FreeText::new(word),
        amount: money(&row)?,
        // It decides nothing, so that an odd one hides no payment.
        fee: filled(&row.payment_fee).and_then(|text| Money::parse(text, CURRENCY).ok()),
        method: filled(&row.transaction_type).or(filled(&row.payment_type)).map(FreeText::new),
        date: filled(&row.payment_date).map(FreeText::new),
        wallet: filled(&row.payment_wallet).map(FreeText::new),
        card: card.map_or_else(CardInfo::default, |card| {
            CardInfo::masked(filled(&card.card_number)).with_brand(filled(&card.card_type))
        }),
        worth: status::of_word(word),
    })
}

/// A row and what was read about it must say the same.
fn part(row: Found, read: &PaymentDetails) -> Result<PaidPart> {
    let differs =
        |field| Err(untrusted(field, "the check and the payment that it lists say different things"));
    if row.worth != read.worth {
        return differs("payment_status");
    }
    if row.amount != Some(read.amount) {
        return differs("payment_amount");
    }
    if row.method.is_some() && read.method.is_some() && row.method != read.method {
        return differs("payment_type");
    }
    let mut part = PaidPart::new(row.id, read.amount);
    part.method = row.method.or_else(|| read.method.clone());
    part.refundable = part.method.as_deref() == Some(CARD);
    part.returned = row.worth == Worth::Returned;
    Ok(part)
}

impl QPay {
    /// All rows of an invoice. A list that is not whole, or names one payment twice, decides nothing.
    async fn rows(&self, invoice: &str) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = Vec::new();
        for page_number in 1..=MOST_PAGES {
            let offset = Offset { page_number, page_limit: PAGE };
            let content = body(&CheckRequest { object_type: "INVOICE", object_id: invoice, offset })?;
            let operation = Operation::new(info::CHECK, Method::Post, &["payment", "check"]);
            let (count, rows) = self.call(operation, Effect::Read, Some(content), page).await?;
            let size = rows.len();
            for row in rows {
                if found.iter().any(|known| known.id == row.id) {
                    return Err(malformed("payment_id", "one payment stands twice in the list; ask again"));
                }
                found.push(row);
            }
            let whole = count.is_none_or(|count| found.len() >= count);
            match (size, whole) {
                (0, false) => return Err(malformed("rows", "the list ends before all of its rows")),
                (size, true) if size < PAGE => return Ok(found),
                _ => {}
            }
        }
        Err(malformed("rows", "the list has more pages than any invoice"))
    }

    /// One payment, bound to the invoice that it is read for.
    pub(crate) async fn details(&self, invoice: &str, id: &ChargeRef) -> Result<PaymentDetails> {
        if !is_id(id.as_str()) {
            return Err(Error::invalid("payment_id", "it is no id of a payment"));
        }
        let path = ["payment", id.as_str()];
        let operation = Operation::new(info::READ_PAYMENT, Method::Get, &path);
        self.call(operation, Effect::Read, None, |answer| details(answer, invoice, id)).await
    }

    pub(crate) async fn ask(&self, payment: &PaymentRef) -> Result<Payment> {
        let invoice = Self::invoice_id(payment)?;
        let asked = payment.amount.ok_or_else(|| {
            let why = "it is not known; an invoice is paid when what came reaches what was asked";
            Error::invalid("amount", why)
        })?;
        let (mut parts, mut failed, mut unlisted) = (Vec::new(), None, None);
        let mut card = CardInfo::default();
        for row in self.rows(invoice).await? {
            match row.worth {
                Worth::There | Worth::Returned => {
                    let read = self.details(invoice, &row.id).await.map_err(unknown_row)?;
                    parts.push(part(row, &read)?);
                    card = if card.is_empty() { read.card } else { card };
                }
                Worth::Nothing => failed = Some(row.word).filter(|word| &**word == "FAILED").or(failed),
                Worth::Unlisted => unlisted = Some(row.word),
            }
        }
        if let Some(word) = &unlisted {
            tracing::warn!(
                account = self.info.account.as_str(),
                status = word.as_str(),
                "a payment has a status that stands in no table; it counts as no money"
            );
        }
        let mut said = Payment::of_parts(payment.clone(), asked, parts)?;
        // An attempt that failed is news only while nothing was paid.
        said.code = unlisted.or(failed.filter(|_| !said.status.is_paid()));
        said.card = card;
        Ok(said)
    }

    /// Reads one payment for an invoice: what it was, how it stands, its fee.
    ///
    /// [`query`](QueryProvider::query) names the ids, as [`Payment::parts`]. QPay forbids reading payments by a schedule
    /// (XLS via QG, TPA).
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`] when it is another invoice's, or in another currency; [`ErrorKind::NotFound`] when QPay
    /// does not know it.
    pub async fn read_payment(&self, payment: &PaymentRef, id: &ChargeRef) -> Result<PaymentDetails> {
        let read = async { self.details(Self::invoice_id(payment)?, id).await };
        self.named(info::READ_PAYMENT, read.await)
    }
}

/// QPay lists a payment that it does not know. That is not "the invoice is not known".
fn unknown_row(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound {
        untrusted("payment_id", "the check lists a payment that QPay does not know")
            .with_answer(error.code(), error.text())
    } else {
        error
    }
}

#[async_trait]
impl QueryProvider for QPay {
    /// Asks by QPay's own id, which the answer to the create brought, and reads each payment that counts: the answer to a
    /// check names neither the invoice nor anything of ours.
    ///
    /// Paid is what reaches the amount asked. Less is pending, with what came; more is paid, and `amount` says how much
    /// came. Money that was given back is in `refunded`.
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        self.named(info::CHECK, self.ask(payment).await)
    }
}
