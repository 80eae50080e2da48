//! `tulbur reconcile`.

use std::fmt::Write as _;

use std::path::PathBuf;

use clap::Args;
use tulbur::payments::reconcile::{
    Columns, Comparison, Day, Difference, ListFormat, Report, read_list, reconcile,
};
use tulbur::payments::store::PaymentFilter;
use tulbur::payments::{PaymentRecord, Store};
use tulbur::{AccountName, Currency};

use crate::database::{DatabaseOptions, Setup};
use crate::out::{Failure, bold, now, one_line, print, print_json, table};

/// A day's list is smaller than this.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// The options of `tulbur reconcile`.
#[derive(Debug, Args)]
#[command(after_help = "\
The list is CSV in UTF-8 with a line of headings, separated by comma, semicolon or tab. It names each payment by our
reference or the provider's. What it says is paid and is not paid here, the running application asks the provider
about; nothing is believed from a list, and nothing else is changed.

Ends with 0 if there are no differences, 1 if there are some, 2 if the comparison could not be made.

Examples:
  tulbur reconcile --account golomt-ecommerce --day 2026-11-21 --offset +08:00 --file list.csv
  tulbur reconcile --account web --day 2026-11-21 --offset +07:00 --file list.csv \\
      --columns \"ref=Order ID,amount=Amount,status=State\" --paid success --unpaid failed,pending --refunds refunded
  tulbur reconcile --account web --day 2026-11-21 --file list.csv --thousands , --json | jq '.differences[]'")]
pub(crate) struct Options {
    #[command(flatten)]
    database: DatabaseOptions,
    /// Whose list it is
    #[arg(long, value_name = "NAME")]
    account: String,
    /// The day that it is of, such as 2026-11-21; --offset says where it begins
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: String,
    /// The list
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Which column holds what, by its heading: ref, amount, status, refunded, currency
    ///
    /// Without `status` every line is a payment that was paid. `refunded` is what was given back of a payment
    /// altogether.
    #[arg(long, value_name = "WORD=HEADING,…", default_value = "ref=ref,amount=amount")]
    columns: String,
    /// The status words that mean paid [default: paid]
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    paid: Vec<String>,
    /// Those that mean not paid [default: pending, authorized, declined, canceled, cancelled, expired, failed]
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    unpaid: Vec<String>,
    /// Those of lines that are refunds of their amount; without them refunds are compared by the column `refunded` only
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    refunds: Vec<String>,
    /// The currency of amounts without one [default: that of the account's newest payment]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// What separates thousands, if they are separated
    #[arg(long, value_name = "CHARACTER")]
    thousands: Option<char>,
    /// What separates decimals
    #[arg(long, value_name = "CHARACTER", default_value_t = '.')]
    decimal: char,
    /// So many lines stand before the headings and are left out
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    skip: usize,
    /// The words with which lines begin that are totals; such lines end the list and are left out
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    totals: Vec<String>,
    /// Only compare: have nothing asked about
    #[arg(long)]
    no_ask: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let compared = compare(options).map_err(|failure| Failure { code: 2, ..failure })?;
    if compared.differences.is_empty() { Ok(()) } else { Err(Failure::told(1)) }
}

fn compare(options: &Options) -> Result<Report, Failure> {
    let setup = Setup::read(&options.database)?;
    let account = AccountName::parse(options.account.clone()).map_err(|error| error.to_string())?;
    let day = Day::parse(&options.day, setup.offset()).map_err(|error| error.to_string())?;
    let asked_at = now();
    if day.from() > asked_at {
        return Err(Failure::new(format!(
            "the day {day} has not begun, so nothing can have been paid on it; which day is the list of?"
        )));
    }
    let is_over = day.until() <= asked_at;
    let columns = Columns::parse(&options.columns).map_err(|error| format!("--columns: {error}"))?;
    if options.thousands == Some(options.decimal) {
        return Err(Failure::new("--thousands and --decimal cannot be the same"));
    }
    let named = options.file.display();
    let size =
        std::fs::metadata(&options.file).map_err(|error| format!("{named} cannot be read: {error}"))?.len();
    if size > MOST_BYTES {
        return Err(Failure::new(format!("{named} is larger than any day's list ({size} bytes)")));
    }
    let bytes = std::fs::read(&options.file).map_err(|error| format!("{named} cannot be read: {error}"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let store = setup.store().await?;
        let currency = currency(options, &*store, &account).await?;
        let mut format = ListFormat::new(columns, currency);
        format.thousands = options.thousands;
        format.decimal = options.decimal;
        let words = [(&options.paid, &mut format.words.paid), (&options.unpaid, &mut format.words.unpaid)];
        for (given, known) in words {
            if !given.is_empty() {
                known.clone_from(given);
            }
        }
        format.words.refund.clone_from(&options.refunds);
        format.skip = options.skip;
        format.totals.clone_from(&options.totals);
        let list =
            read_list(&bytes, &format).map_err(|error| format!("{named}: {error}; nothing was compared"))?;
        let comparison = Comparison { account: &account, day: &day, list: &list, ask: !options.no_ask };
        let report = reconcile(&*store, comparison, asked_at).await?;
        if options.database.json {
            print_json(&Printed { report: &report, day_is_over: is_over })?;
        } else {
            print(&text(&report, is_over))?;
        }
        Ok(report)
    })
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    day_is_over: bool,
}

async fn currency(options: &Options, store: &dyn Store, account: &AccountName) -> Result<Currency, Failure> {
    if let Some(code) = &options.currency {
        return Currency::parse(code).map_err(|error| Failure::new(format!("--currency: {error}")));
    }
    let mut filter = PaymentFilter::default();
    filter.account = Some(account.clone());
    filter.limit = 20;
    let newest = store.payments(&filter).await?;
    newest.iter().find_map(PaymentRecord::amount).map(tulbur::Money::currency).ok_or_else(|| {
        Failure::new(format!(
            "there is no payment of account `{account}` in this database; is it the right one? If it is, give --currency"
        ))
    })
}

fn text(report: &Report, is_over: bool) -> String {
    let mut text = bold(&format!("Account {}, {}", report.account, report.day));
    let _ = write!(
        text,
        "\n{} lines in the list, {} payments paid here on that day, {} agree, {} differences.",
        report.listed,
        report.paid_here,
        report.agreed,
        report.differences.len()
    );
    if !is_over {
        text.push_str("\nThe day is not over: what is paid after the list was made differs, or is not compared. Compare again tomorrow.");
    }
    if !report.refunds_compared {
        text.push_str("\nRefunds were not compared: the list does not tell of any (--columns refunded=…, or --refunds).");
    }
    if report.differences.is_empty() {
        return text;
    }
    let money = |money: Option<tulbur::Money>| money.map_or_else(|| "-".into(), |money| money.to_string());
    let row = |one: &Difference| {
        [
            one.kind.as_str().to_owned(),
            one.line.map_or_else(|| "-".into(), |line| line.to_string()),
            one.reference.clone(),
            one.order.as_ref().map_or_else(|| "-".into(), ToString::to_string),
            money(one.listed),
            money(one.here),
            one.status.map_or_else(|| "-".into(), |status| status.to_string()),
        ]
    };
    let rows: Vec<[String; 7]> = report.differences.iter().map(row).collect();
    text.push_str("\n\n");
    text.push_str(&table(
        ["difference", "line", "reference", "order", "listed", "here", "status here"],
        &rows,
    ));
    text.push('\n');
    for one in &report.differences {
        let line = one.line.map(|line| format!("line {line}, ")).unwrap_or_default();
        let _ = write!(text, "\n{line}{}: {}.", one_line(&one.reference), one_line(&one.detail));
    }
    if report.asked > 0 {
        let _ = write!(text, "\n\nThe running application asks about {} of them now.", report.asked);
    }
    text
}
