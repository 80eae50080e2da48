//! The one object that an adapter mounts.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tulbur_core::{Channel, ErrorKind, Language, Url, UtcOffset};
use tulbur_payments::{Error, EventKind, NotifyTarget, PageSecret, PaymentRecord, Payments, Status, Timing};

use crate::events;
use crate::http::{self, Body, WebRequest, WebResponse};
use crate::pages::{self, Frame, Problem};
use crate::peer::TrustedProxies;
use crate::places::{Limits, Places};
use crate::route::{Page, Route};
use crate::texts::{Texts, texts};
use crate::view::{Addresses, Circumstances, Reader, View};

/// How the pages behave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebSettings {
    /// The shop's name, above every page.
    pub shop: Option<String>,
    /// The language of a page that belongs to no payment, where the browser asks for none that we have.
    pub language: Language,
    /// How often an open live status says that it is alive.
    pub heartbeat: Duration,
    /// How many live statuses may be open at once; beyond it a page looks for itself now and then.
    pub most_streams: usize,
    /// How many of them may be of one payment: so many people may look at it.
    pub most_streams_per_payment: usize,
    /// How many of them may come from one address, or from one /64 of IPv6. Many payers of a mobile network share one. An
    /// address of this machine or of a private network has no such limit while no proxy is trusted: it is likely a proxy's.
    pub most_streams_per_address: usize,
    /// The proxies whose word about a payer's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// How far from UTC the clocks are that pages show. `None` is the home of the payment's currency: 8 hours east for
    /// MNT, 7 for VND, else none. The distance always stands beside the time.
    pub utc_offset: Option<UtcOffset>,
    /// The schemes of further apps whose links are offered to payers, such as `khanbank`. Links to SocialPay and
    /// protected pages always are; any other scheme may mean something else to a payer's browser or system.
    pub app_schemes: Vec<String>,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            shop: None,
            language: Language::default(),
            heartbeat: Duration::from_secs(15),
            most_streams: 4096,
            most_streams_per_payment: 32,
            most_streams_per_address: 256,
            trusted_proxies: TrustedProxies::default(),
            utc_offset: None,
            app_schemes: Vec::new(),
        }
    }
}

impl WebSettings {
    /// With the shop's name above every page.
    #[must_use]
    pub fn shop(mut self, name: impl Into<String>) -> Self {
        self.shop = Some(name.into());
        self
    }

    /// With another language where nothing says which.
    #[must_use]
    pub fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// With another time between two signs of life. It should be shorter than any proxy's patience.
    #[must_use]
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = every;
        self
    }

    /// With another limit of live statuses.
    #[must_use]
    pub fn most_streams(mut self, most: usize) -> Self {
        self.most_streams = most;
        self
    }

    /// With another limit of live statuses of one payment.
    #[must_use]
    pub fn most_streams_per_payment(mut self, most: usize) -> Self {
        self.most_streams_per_payment = most;
        self
    }

    /// With another limit of live statuses from one address.
    #[must_use]
    pub fn most_streams_per_address(mut self, most: usize) -> Self {
        self.most_streams_per_address = most;
        self
    }

    /// Behind these proxies.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// With times as clocks show them at this distance from UTC; a number is whole hours east.
    #[must_use]
    pub fn utc_offset(mut self, offset: impl Into<UtcOffset>) -> Self {
        self.utc_offset = Some(offset.into());
        self
    }

    /// With links to these apps as well, by their schemes.
    #[must_use]
    pub fn app_schemes<S: Into<String>>(mut self, schemes: impl IntoIterator<Item = S>) -> Self {
        self.app_schemes = schemes.into_iter().map(Into::into).collect();
        self
    }
}

/// The payers' pages and the routes that providers call. Cheap to clone.
///
/// An adapter mounts it where [`Payments::public_url`] points, reads a request's body up to [`Web::BODY_LIMIT`],
/// and passes on what [`Web::handle`] answers.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    payments: Payments,
    settings: WebSettings,
    /// The path of the mount, with its slashes.
    base: String,
    streams: Places,
    stop: watch::Sender<bool>,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Web {
    /// The longest body that is taken: several times what any provider sends. An adapter stops reading there and
    /// answers [`WebResponse::body_too_large`].
    pub const BODY_LIMIT: usize = http::BODY_LIMIT;

    /// How long a body may take to arrive. An adapter then answers [`WebResponse::body_too_slow`].
    pub const BODY_TIMEOUT: Duration = http::BODY_TIMEOUT;

    /// The first parts of the paths below the mount; everything else there is the application's own.
    pub const ROOMS: [&str; 5] = ["notify", "return", "checkout", "display", "assets"];

    /// Pages and routes of these payments.
    pub fn new(payments: Payments, settings: WebSettings) -> Self {
        let base = payments.public_url().path().to_owned();
        let streams = Places::default();
        Self(Arc::new(Inner { payments, settings, base, streams, stop: watch::Sender::new(false) }))
    }

    /// The payments behind the pages.
    pub fn payments(&self) -> &Payments {
        &self.0.payments
    }

    /// The address of a payment's page for a display at a till: the amount, the QR and how it stands, full-screen.
    ///
    /// It carries the same secret as the payer's page.
    ///
    /// # Errors
    /// As [`Payments::page_secret`].
    pub fn display_url(&self, record: &PaymentRecord) -> Result<Url, Error> {
        let secret = self.0.payments.page_secret(record)?;
        let base = self.0.payments.public_url();
        Ok(base
            .join(&format!("display/{}", secret.expose()))
            .expect("letters, digits and a slash join an address"))
    }

    /// The address of the one who sent a request: the connection's other end, or what a trusted proxy says of it
    /// ([`WebSettings::trusted_proxies`]). `None` when neither is known.
    ///
    /// An application's own handlers read it with the extractor `PayerAddress` of the adapters.
    pub fn payer_address(&self, peer: Option<IpAddr>, headers: &[(String, String)]) -> Option<IpAddr> {
        self.0.settings.trusted_proxies.address(peer, headers)
    }

    /// Ends the live statuses that are open, and lets no new one begin. A server that waits for its connections
    /// before it stops calls this first; a browser reconnects to whoever comes after.
    pub fn end_streams(&self) {
        self.0.stop.send_replace(true);
    }

    /// Answers a request. It never fails: whatever goes wrong is an answer.
    pub async fn handle(&self, request: WebRequest) -> WebResponse {
        let Some(route) = Route::find(&request.path) else { return self.not_found(&request) };
        let methods = route.methods();
        if !methods.contains(&request.method.as_str()) {
            return WebResponse::method_not_allowed(methods);
        }
        if request.body.len() > Self::BODY_LIMIT {
            return WebResponse::body_too_large();
        }
        match route {
            Route::Notify(target) => self.notify(target, &request).await,
            Route::Return { account, secret } => self.returned(account, secret, &request).await,
            Route::Page { secret, page } => self.page(secret, page, &request).await,
            Route::Events { secret } => self.events(secret, &request).await,
            Route::Cancel { secret } => self.cancel(secret, &request).await,
            Route::Asset(asset) => asset.response(request.query.as_deref()),
        }
    }

    async fn notify(&self, target: NotifyTarget<'_>, request: &WebRequest) -> WebResponse {
        let reply = self.0.payments.notify(target, request.delivery(Channel::Notify)).await;
        WebResponse::reply(reply)
    }

    async fn returned(&self, account: &str, secret: &str, request: &WebRequest) -> WebResponse {
        let Some(secret) = PageSecret::parse(secret) else { return self.not_found(request) };
        let delivery = request.delivery(Channel::Return);
        let back = self.0.payments.returned(account, &secret, delivery).await;
        match back.and_then(|record| self.0.payments.result_url(&record)) {
            Ok(address) => pages::guarded(WebResponse::see_other(address)),
            Err(error) => {
                let record = self.0.payments.page(&secret).await.ok().flatten();
                let words = &self.texts(request, record.as_ref()).words;
                let problem = match &error {
                    Error::Provider(cause) => Problem {
                        status: 400,
                        headline: words.return_refused,
                        explanation: words.return_refused_explained,
                        detail: Some(cause_of(cause)),
                        to_payment: None,
                    },
                    Error::Conflict { .. } => Problem {
                        status: 400,
                        headline: words.return_refused,
                        explanation: words.return_refused_explained,
                        detail: None,
                        to_payment: None,
                    },
                    _ => return self.failed(request, record.as_ref(), &error),
                };
                self.problem(request, record.as_ref(), problem)
            }
        }
    }

    async fn page(&self, secret: &str, page: Page, request: &WebRequest) -> WebResponse {
        let record = match self.find(secret, request).await {
            Ok(record) => record,
            Err(answer) => return answer,
        };
        let circumstances = match self.circumstances(&record).await {
            Ok(circumstances) => circumstances,
            Err(error) => return self.failed(request, Some(&record), &error),
        };
        if record.status == Status::Pending {
            self.ask_soon(&record);
        }
        let texts = self.texts(request, Some(&record));
        let WebSettings { utc_offset: offset, app_schemes, .. } = &self.0.settings;
        let reader = Reader { texts, offset: *offset, apps: app_schemes };
        let addresses = self.addresses(secret, request);
        let view = View::of(&record, page, self.0.payments.now(), reader, circumstances, addresses);
        pages::payment(page, self.frame(texts), view)
    }

    /// Somebody looks, perhaps without script and so without a live status: then the next reload knows more. The
    /// questions of all who look are one, at the provider's pace.
    fn ask_soon(&self, record: &PaymentRecord) {
        let (payments, id) = (self.0.payments.clone(), record.id.clone());
        tokio::spawn(async move {
            if let Err(error) = payments.query(&id).await {
                tracing::warn!(payment = %id, %error, "could not ask for somebody who looks");
            }
        });
    }

    async fn events(&self, secret: &str, request: &WebRequest) -> WebResponse {
        let record = match self.find(secret, request).await {
            Ok(record) => record,
            Err(answer) => return answer,
        };
        let stop = self.0.stop.subscribe();
        let settings = &self.0.settings;
        let limits = Limits {
            all: settings.most_streams,
            of_payment: settings.most_streams_per_payment,
            of_address: settings.most_streams_per_address,
        };
        let address = self.payer_address(request.peer, &request.headers);
        let address = address.filter(|one| !settings.trusted_proxies.is_empty() || !is_local(*one));
        let place = self.0.streams.take(limits, &record.id, address);
        let (Some(place), false) = (place, *stop.borrow()) else {
            return WebResponse::text(
                503,
                "No live status just now. Load the page again to see how it stands.",
            )
            .with("retry-after", "5");
        };
        let watch = self.0.payments.watch(&record.id);
        let stream = events::stream(watch, self.0.settings.heartbeat, stop, place);
        let mut response = WebResponse::new(200, "text/event-stream", "").with("x-accel-buffering", "no");
        response.body = Body::Stream(stream);
        response
    }

    async fn cancel(&self, secret: &str, request: &WebRequest) -> WebResponse {
        let record = match self.find(secret, request).await {
            Ok(record) => record,
            Err(answer) => return answer,
        };
        // A second click finds it canceled, and sees the same page.
        match self.0.payments.cancel(&record.id).await {
            Ok(_) => pages::guarded(WebResponse::see_other(self.addresses(secret, request).checkout)),
            Err(Error::Conflict { .. } | Error::Provider(_)) => {
                let words = &self.texts(request, Some(&record)).words;
                let problem = Problem {
                    status: 409,
                    headline: words.cancel_refused,
                    explanation: words.cancel_refused_explained,
                    detail: None,
                    to_payment: None,
                };
                self.problem(request, Some(&record), problem)
            }
            Err(error) => self.failed(request, Some(&record), &error),
        }
    }

    /// The payment behind a page, or the answer that says why not. A wrong secret is answered like a missing page.
    async fn find(&self, secret: &str, request: &WebRequest) -> Result<PaymentRecord, WebResponse> {
        let Some(secret) = PageSecret::parse(secret) else { return Err(self.not_found(request)) };
        match self.0.payments.page(&secret).await {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(self.not_found(request)),
            Err(error) => Err(self.failed(request, None, &error)),
        }
    }

    /// What the payment's own record does not say.
    async fn circumstances(&self, record: &PaymentRecord) -> Result<Circumstances, Error> {
        let (Status::Paid, Some(order)) = (record.status, record.order()) else {
            return Ok(Circumstances::default());
        };
        let paid_by = self.0.payments.order(order).await?.and_then(|order| order.record.paid_by);
        let events = self.0.payments.events(order).await?;
        let late = events.iter().any(|event| {
            event.payment.as_ref() == Some(&record.id)
                && matches!(event.kind, EventKind::Paid { timing: Timing::After(_), .. })
        });
        Ok(Circumstances { paid_again: paid_by.is_some_and(|id| id != record.id), late })
    }

    /// The words in the language that the link names, else the payment, else the browser.
    fn texts(&self, request: &WebRequest, record: Option<&PaymentRecord>) -> &'static Texts {
        let accepted = || accepted_language(request.header("accept-language")?);
        let language = chosen_language(request)
            .or_else(|| record.map(|record| record.language))
            .or_else(accepted)
            .unwrap_or(self.0.settings.language);
        texts(language)
    }

    fn frame(&self, texts: &'static Texts) -> Frame<'_> {
        Frame::new(&self.0.base, self.0.settings.shop.as_deref(), texts)
    }

    /// The addresses of a payment's pages, in the language that was chosen.
    fn addresses(&self, secret: &str, request: &WebRequest) -> Addresses {
        let checkout = format!("{}checkout/{secret}", self.0.base);
        let query = chosen_language(request).map_or(String::new(), |language| format!("?lang={language}"));
        Addresses {
            cancel: format!("{checkout}/cancel{query}"),
            events: format!("{checkout}/events"),
            result: format!("{checkout}/result{query}"),
            checkout: format!("{checkout}{query}"),
        }
    }

    fn problem(
        &self,
        request: &WebRequest,
        record: Option<&PaymentRecord>,
        mut problem: Problem,
    ) -> WebResponse {
        problem.to_payment = record.and_then(|record| {
            let secret = self.0.payments.page_secret(record).ok()?;
            Some(self.addresses(secret.expose(), request).checkout)
        });
        pages::problem(self.frame(self.texts(request, record)), problem)
    }

    fn not_found(&self, request: &WebRequest) -> WebResponse {
        let words = &self.texts(request, None).words;
        let problem = Problem {
            status: 404,
            headline: words.not_found,
            explanation: words.not_found_explained,
            detail: None,
            to_payment: None,
        };
        self.problem(request, None, problem)
    }

    /// Something of ours does not work. The payer is not shown what.
    fn failed(&self, request: &WebRequest, record: Option<&PaymentRecord>, error: &Error) -> WebResponse {
        if let Error::NotFound(_) = error {
            return self.not_found(request);
        }
        tracing::error!(%error, "a payer's page could not be shown");
        let words = &self.texts(request, record).words;
        let problem = Problem {
            status: 503,
            headline: words.unavailable,
            explanation: words.unavailable_explained,
            detail: None,
            to_payment: None,
        };
        self.problem(request, record, problem).with("retry-after", "5")
    }
}

/// Whether an address is of this machine or of a private network.
fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(one) => one.is_loopback() || one.is_private() || one.is_link_local(),
        IpAddr::V6(one) => one.is_loopback() || one.is_unique_local() || one.is_unicast_link_local(),
    }
}

/// The language that a link on the page chose. One that does not exist is as if it were not there.
fn chosen_language(request: &WebRequest) -> Option<Language> {
    let query = request.query.as_deref()?;
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("lang="))?;
    Language::parse(wanted).ok()
}

/// The language that a browser prefers among those that we have: by its quality value, then by its place.
fn accepted_language(accepted: &str) -> Option<Language> {
    let mut best: Option<(u16, Language)> = None;
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().and_then(|tag| tag.split('-').next()).unwrap_or_default();
        let quality = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let quality = quality.map_or(Some(1000), |(_, value)| thousandths(value.trim()));
        let (Ok(language), Some(quality)) = (Language::parse(tag), quality) else { continue };
        if quality > best.map_or(0, |(best, _)| best) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

/// A quality value, 0 to 1 with at most three decimals (RFC 9110, 12.4.2).
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let fits =
        matches!(whole, "0" | "1") && decimals.len() <= 3 && decimals.bytes().all(|b| b.is_ascii_digit());
    let all: u16 = fits.then(|| format!("{whole}{decimals:0<3}").parse().ok())??;
    (all <= 1000).then_some(all)
}

/// Kind, field and words of an error, without the provider's code.
fn cause_of(error: &tulbur_core::Error) -> String {
    let kind: ErrorKind = error.kind();
    match error.field() {
        Some(field) => format!("{kind}: {field}: {}", error.message()),
        None => format!("{kind}: {}", error.message()),
    }
}
