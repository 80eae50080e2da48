//! Notifications and returns: what is genuine, what is not, and what is answered.

use std::sync::Arc;

use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, IpnEvent, IpnOutcome, IpnProvider, MerchantRef, NotifyAddress,
    PaymentRef, PaymentStatus, Proof, Provider, Reply, Voucher,
};

use crate::check::List;
use crate::counterpart::Deed;
use crate::mailbox::Letter;
use crate::ops::error_of;
use crate::spots::{Spot, doubled, without};
use crate::under_test::{Keys, Member, NotificationRules};
use crate::world::{Checked, World, ensure, fail, ignore};

pub(super) fn list(list: &mut List, provider: &dyn Provider, rules: Option<&NotificationRules>) {
    if provider.ipn().is_none() {
        return;
    }
    list.add("acknowledgement::every_outcome_is_answered_as_declared", acknowledged);
    list.add("acknowledgement::what_could_not_be_stored_is_never_success", not_stored);
    list.add("return::a_typed_address_is_never_proof", forged_return);
    list.add("notification::garbage_is_refused", garbage);
    if provider.info().notify == NotifyAddress::None {
        return;
    }
    list.add("notification::a_genuine_one_is_accepted", genuine);
    if rules.is_none_or(|rules| !rules.silent.contains(&Deed::Decline)) {
        list.add("notification::a_decline_is_accepted_and_is_no_payment", declined);
    }
    list.add("notification::what_it_is_about_stands_in_it", bound);
    list.add("notification::unknown_members_are_tolerated", unknown_members);
    list.add("notification::a_repeat_is_recognised", repeat);
    list.add("notification::a_contradiction_is_told_from_a_repeat", contradiction);
    if rules.is_some_and(|rules| rules.checksum.is_none()) {
        list.add("notification::without_a_checksum_it_is_only_a_hint", hint);
        return;
    }
    list.add("checksum::every_changed_bit_of_it_is_refused", changed_checksum);
    list.add("checksum::every_changed_bit_of_what_it_covers_is_refused", changed_members);
    list.add("checksum::a_missing_one_is_refused", missing);
    list.add("checksum::an_empty_one_is_refused", empty);
    list.add("checksum::one_in_upper_case_or_with_blanks_is_refused", other_writing);
    list.add("checksum::one_of_another_payment_is_refused", other_payment);
    list.add("checksum::one_by_another_key_is_refused", other_key);
    list.add("checksum::doubled_members_are_refused", doubled_members);
    list.add("checksum::members_that_it_covers_cannot_be_left_out", left_out);
    list.add("checksum::characters_moved_between_members_prove_nothing_else", shifted);
}

fn ipn(provider: &dyn Provider) -> Checked<&dyn IpnProvider> {
    match provider.ipn() {
        Some(ipn) => Ok(ipn),
        None => fail("the provider reads notifications, but not once it is built"),
    }
}

fn rules(world: &World) -> Checked<NotificationRules> {
    match world.under_test.notifications() {
        Some(rules) => Ok(rules),
        None => fail("say how notifications are signed: UnderTest::notifications"),
    }
}

/// The rules of a checksum, and where it stands.
fn checksum(world: &World) -> Checked<(NotificationRules, Member)> {
    let rules = rules(world)?;
    match rules.checksum.clone() {
        Some(member) => Ok((rules, member)),
        None => ignore("notifications have no checksum"),
    }
}

fn verify(world: &World, letter: &Letter) -> tulbur_core::Result<IpnEvent> {
    match world.provider.ipn() {
        Some(ipn) => ipn.verify(&letter.delivery(Channel::Notify)),
        None => Err(Error::new(ErrorKind::Unsupported, "the provider reads no notifications")),
    }
}

/// A payment that was paid, and the notification of it.
async fn letter_of(world: &World, deed: Deed) -> Checked<(PaymentRef, Letter)> {
    let payment = world.open().await?.payment;
    world.act(deed, &payment.merchant_ref).await?;
    let letter = world.letters(&payment, 1).await?.remove(0);
    Ok((payment, letter))
}

fn refused(what: &str, result: tulbur_core::Result<IpnEvent>) -> Checked {
    let error = error_of(what, result)?;
    ensure!(
        matches!(error.kind(), ErrorKind::Untrusted | ErrorKind::Malformed),
        "{what}: it was refused, but as {:?}: {error}",
        error.kind()
    );
    Ok(())
}

fn facts(event: &IpnEvent) -> Option<(PaymentStatus, tulbur_core::Money)> {
    match &event.proof {
        Proof::Signed(facts) => Some((facts.status, facts.amount)),
        Proof::Hint(_) => None,
    }
}

fn is_about(event: &IpnEvent, payment: &PaymentRef) -> bool {
    let subject = &event.subject;
    if matches!(event.proof, Proof::Hint(Voucher::Address)) {
        // It is about the payment that the address was made for, and names no other.
        return subject.merchant_ref.as_ref().is_none_or(|named| *named == payment.merchant_ref);
    }
    subject.merchant_ref.as_ref() == Some(&payment.merchant_ref)
        || (subject.provider_ref.is_some()
            && (subject.provider_ref == payment.provider_ref
                || subject.provider_ref.as_ref().map(tulbur_core::ProviderRef::as_str)
                    == payment.charge_ref.as_ref().map(tulbur_core::ChargeRef::as_str)))
}

async fn genuine(world: Arc<World>) -> Checked {
    let (payment, letter) = letter_of(&world, Deed::Pay).await?;
    let event = verify(&world, &letter)?;
    ensure!(is_about(&event, &payment), "it is about {:?}", event.subject);
    if let Some((status, amount)) = facts(&event) {
        ensure!(status.is_paid(), "it proves {status}");
        ensure!(Some(amount) == payment.amount, "it proves {amount}");
    }
    ensure!(event.claimed.is_none_or(PaymentStatus::is_paid), "it claims {:?}", event.claimed);
    Ok(())
}

/// A provider that never heard of the payment reads the same as one that opened it and another one since, and neither
/// names another payment of ours. So our reference is read from the message, or is not named at all.
async fn bound(world: Arc<World>) -> Checked {
    let (payment, letter) = letter_of(&world, Deed::Pay).await?;
    world.open().await?;
    let unaware = world.under_test.build(Keys::Own, &world.env)?;
    let read = verify(&world, &letter)?;
    let unaware = ipn(&*unaware)?.verify(&letter.delivery(Channel::Notify))?;
    for event in [&read, &unaware] {
        for named in ours(event) {
            ensure!(
                *named == payment.merchant_ref,
                "it names {named}, and is about {}",
                payment.merchant_ref
            );
        }
    }
    ensure!(
        read.subject == unaware.subject,
        "read by the provider that opened the payment it is about {:?}, and by one that did not about {:?}",
        read.subject,
        unaware.subject
    );
    Ok(())
}

/// Our references that an event names, and that it proves something about.
fn ours(event: &IpnEvent) -> impl Iterator<Item = &MerchantRef> {
    let proven = match &event.proof {
        Proof::Signed(facts) => facts.merchant_ref.as_ref(),
        Proof::Hint(_) => None,
    };
    event.subject.merchant_ref.iter().chain(proven)
}

async fn declined(world: Arc<World>) -> Checked {
    let (payment, letter) = letter_of(&world, Deed::Decline).await?;
    let event = verify(&world, &letter)?;
    ensure!(is_about(&event, &payment), "it is about {:?}", event.subject);
    ensure!(!facts(&event).is_some_and(|(status, _)| status.is_paid()), "it proves a payment");
    ensure!(event.claimed != Some(PaymentStatus::Paid), "it claims a payment");
    Ok(())
}

async fn unknown_members(world: Arc<World>) -> Checked {
    let rules = rules(&world)?;
    if rules.signed.contains(&Member::Body) {
        return ignore("the checksum covers the whole body");
    }
    let (_, letter) = letter_of(&world, Deed::Pay).await?;
    let plain = verify(&world, &letter)?;
    let first = rules.signed.first().or(rules.checksum.as_ref());
    let extra = match first {
        Some(Member::Form(_)) => Member::Form("conformanceExtra"),
        Some(Member::Query(_)) => Member::Query("conformanceExtra"),
        _ => Member::Json("conformanceExtra"),
    };
    for changed in doubled(&letter, &extra, "1") {
        let event = verify(&world, &changed)?;
        ensure!(facts(&event) == facts(&plain), "an unknown member changed what it proves");
        ensure!(event.meaning() == plain.meaning(), "an unknown member changed what it means");
    }
    Ok(())
}

async fn repeat(world: Arc<World>) -> Checked {
    let (_, letter) = letter_of(&world, Deed::Pay).await?;
    let (one, two) = (verify(&world, &letter)?, verify(&world, &letter)?);
    ensure!(one.repeat_key() == two.repeat_key(), "the same bytes have two keys");
    ensure!(one.meaning() == two.meaning(), "the same bytes have two meanings");
    let (_, other) = letter_of(&world, Deed::Pay).await?;
    let other = verify(&world, &other)?;
    ensure!(one.repeat_key() != other.repeat_key(), "two payments share the key {}", one.repeat_key());
    Ok(())
}

async fn contradiction(world: Arc<World>) -> Checked {
    let payment = world.open().await?.payment;
    world.act(Deed::Contradict, &payment.merchant_ref).await?;
    let letters = world.letters(&payment, 2).await?;
    let (one, two) = (verify(&world, &letters[0])?, verify(&world, &letters[1])?);
    ensure!(
        one.repeat_key() == two.repeat_key(),
        "they have the keys {} and {}",
        one.repeat_key(),
        two.repeat_key()
    );
    ensure!(one.meaning() != two.meaning(), "they contradict each other and have one meaning");
    Ok(())
}

async fn hint(world: Arc<World>) -> Checked {
    let (_, letter) = letter_of(&world, Deed::Pay).await?;
    ensure!(facts(&verify(&world, &letter)?).is_none(), "without a checksum nothing is proven");
    Ok(())
}

async fn changed_checksum(world: Arc<World>) -> Checked {
    let (_, checksum) = checksum(&world)?;
    for deed in [Deed::Pay, Deed::Decline] {
        let (_, letter) = letter_of(&world, deed).await?;
        verify(&world, &letter)?;
        let Some(spot) = Spot::find(&letter, &checksum) else {
            return fail(format!("the notification has no {checksum:?}"));
        };
        for (at, bit, changed) in spot.with_each_bit_changed(&letter) {
            refused(
                &format!("bit {bit} of character {at} of the checksum changed"),
                verify(&world, &changed),
            )?;
        }
    }
    Ok(())
}

async fn changed_members(world: Arc<World>) -> Checked {
    let (rules, _) = checksum(&world)?;
    for deed in [Deed::Pay, Deed::Decline] {
        let (_, letter) = letter_of(&world, deed).await?;
        let mut found = 0;
        for member in &rules.signed {
            let Some(spot) = Spot::find(&letter, member) else { continue };
            found += 1;
            for (at, bit, changed) in spot.with_each_bit_changed(&letter) {
                refused(
                    &format!("bit {bit} of character {at} of {member:?} changed"),
                    verify(&world, &changed),
                )?;
            }
        }
        ensure!(found > 0, "the notification has none of {:?}", rules.signed);
    }
    Ok(())
}

async fn missing(world: Arc<World>) -> Checked {
    let (_, checksum) = checksum(&world)?;
    let (_, letter) = letter_of(&world, Deed::Pay).await?;
    match without(&letter, &checksum) {
        Some(changed) => refused("no checksum", verify(&world, &changed)),
        None => fail(format!("the notification has no {checksum:?}")),
    }
}

async fn with_checksum(world: &World, change: impl Fn(&str) -> Vec<String>) -> Checked {
    let (_, checksum) = checksum(world)?;
    let (_, letter) = letter_of(world, Deed::Pay).await?;
    let Some(spot) = Spot::find(&letter, &checksum) else {
        return fail(format!("the notification has no {checksum:?}"));
    };
    let genuine = String::from_utf8_lossy(spot.value(&letter)).into_owned();
    for text in change(&genuine) {
        if text != genuine
            && let Some(changed) = spot.with(&letter, text.as_bytes())
        {
            refused(&format!("the checksum written as `{text}`"), verify(world, &changed))?;
        }
    }
    Ok(())
}

async fn empty(world: Arc<World>) -> Checked {
    with_checksum(&world, |genuine| {
        let zeros = "0".repeat(genuine.len());
        vec![String::new(), " ".into(), zeros, "null".into(), genuine[..genuine.len() / 2].to_owned()]
    })
    .await
}

async fn other_writing(world: Arc<World>) -> Checked {
    with_checksum(&world, |genuine| {
        let blanks = [format!(" {genuine}"), format!("{genuine} "), format!("{genuine}{genuine}")];
        [genuine.to_uppercase(), genuine.to_lowercase()].into_iter().chain(blanks).collect()
    })
    .await
}

async fn other_payment(world: Arc<World>) -> Checked {
    let (_, checksum) = checksum(&world)?;
    let (_, one) = letter_of(&world, Deed::Pay).await?;
    let (_, two) = letter_of(&world, Deed::Pay).await?;
    let (Some(here), Some(there)) = (Spot::find(&one, &checksum), Spot::find(&two, &checksum)) else {
        return fail(format!("the notification has no {checksum:?}"));
    };
    match here.with(&one, there.value(&two)) {
        Some(mixed) => refused("the checksum of another payment", verify(&world, &mixed)),
        None => Ok(()),
    }
}

async fn other_key(world: Arc<World>) -> Checked {
    checksum(&world)?;
    let (_, letter) = letter_of(&world, Deed::Pay).await?;
    let stranger = world.stranger()?;
    refused("a checksum by another key", ipn(&*stranger)?.verify(&letter.delivery(Channel::Notify)))
}

async fn doubled_members(world: Arc<World>) -> Checked {
    let (rules, checksum) = checksum(&world)?;
    let (_, letter) = letter_of(&world, Deed::Pay).await?;
    let members = rules.signed.iter().chain([&checksum]);
    for member in members.filter(|member| Spot::find(&letter, member).is_some()) {
        for value in ["", "0", "conformance"] {
            for changed in doubled(&letter, member, value) {
                refused(&format!("{member:?} stands twice, once as `{value}`"), verify(&world, &changed))?;
            }
        }
    }
    Ok(())
}

async fn left_out(world: Arc<World>) -> Checked {
    let (rules, _) = checksum(&world)?;
    let (_, letter) = letter_of(&world, Deed::Pay).await?;
    for member in &rules.signed {
        if Spot::find(&letter, member).is_some_and(|spot| !spot.value(&letter).is_empty())
            && let Some(changed) = without(&letter, member)
        {
            refused(&format!("{member:?} is left out"), verify(&world, &changed))?;
        }
    }
    Ok(())
}

/// Where values are joined without separators, the checksum stays right when characters move from one to the next.
async fn shifted(world: Arc<World>) -> Checked {
    let (rules, _) = checksum(&world)?;
    let (payment, letter) = letter_of(&world, Deed::Pay).await?;
    let genuine = facts(&verify(&world, &letter)?);
    for pair in rules.signed.windows(2) {
        for (count, forward) in [(1, true), (2, true), (1, false), (2, false)] {
            let Some(changed) = shift(&letter, &pair[0], &pair[1], count, forward) else { continue };
            let Ok(event) = verify(&world, &changed) else { continue };
            let same = facts(&event) == genuine && is_about(&event, &payment);
            ensure!(
                same || facts(&event).is_none(),
                "characters moved between {:?} and {:?}, and it proves {:?} about {:?}",
                pair[0],
                pair[1],
                facts(&event),
                event.subject
            );
        }
    }
    Ok(())
}

fn shift(letter: &Letter, left: &Member, right: &Member, count: usize, forward: bool) -> Option<Letter> {
    let (one, two) = (Spot::find(letter, left)?, Spot::find(letter, right)?);
    let (first, second) = (one.value(letter), two.value(letter));
    let (first, second) = if forward {
        let (kept, moved) = first.split_at(first.len().checked_sub(count)?);
        (kept.to_vec(), [moved, second].concat())
    } else {
        let (moved, kept) = second.split_at_checked(count)?;
        ([first, moved].concat(), kept.to_vec())
    };
    // The second spot has to be found anew, because the first change may have moved it.
    let changed = one.with(letter, &first)?;
    Spot::find(&changed, right)?.with(&changed, &second)
}

async fn garbage(world: Arc<World>) -> Checked {
    let ipn = ipn(&*world.provider)?;
    let deep = "[".repeat(50_000);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5_000_000));
    let bodies: [&[u8]; 10] = [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\"x\"",
        b"{",
        b"\xFF\xFE\x00",
        b"a=b&a=c",
        deep.as_bytes(),
        long.as_bytes(),
    ];
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    let form = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    for method in ["POST", "GET", "PUT", ""] {
        for headers in [json.as_slice(), &form, &[]] {
            for body in bodies {
                for query in [None, Some(""), Some("%FF=%00&&=&a")] {
                    let delivery = Delivery { channel: Channel::Notify, method, query, headers, body };
                    let what = format!("{method} with {} bytes and the query {query:?}", body.len());
                    refused(&what, ipn.verify(&delivery))?;
                    let returned = ipn.verify(&Delivery { channel: Channel::Return, ..delivery });
                    let proves = returned.is_ok_and(|event| facts(&event).is_some());
                    ensure!(!proves, "{what}, come back by a browser, proves something");
                }
            }
        }
    }
    Ok(())
}

async fn forged_return(world: Arc<World>) -> Checked {
    let reference = world.reference();
    let Some(forged) = world.under_test.forged_return(&reference) else {
        return ignore("there is no return that claims anything: UnderTest::forged_return");
    };
    let delivery = Delivery {
        channel: Channel::Return,
        method: forged.method,
        query: forged.query.as_deref(),
        headers: &[],
        body: &forged.body,
    };
    if let Ok(event) = ipn(&*world.provider)?.verify(&delivery) {
        let proven = facts(&event);
        ensure!(proven.is_none(), "anybody can type this address, and it proves {proven:?}");
        let hinted = matches!(event.proof, Proof::Hint(Voucher::None));
        ensure!(hinted, "a return without a checksum was called checked");
    }
    Ok(())
}

/// Every outcome with a name, and what is answered to it.
fn replies(ipn: &dyn IpnProvider) -> [(&'static str, Reply); 7] {
    let rejected = Error::new(ErrorKind::Untrusted, "it does not match");
    [
        ("accepted", ipn.acknowledge(IpnOutcome::Accepted)),
        ("repeat", ipn.acknowledge(IpnOutcome::Repeat { completed: false })),
        ("repeat of a completed payment", ipn.acknowledge(IpnOutcome::Repeat { completed: true })),
        ("unknown payment", ipn.acknowledge(IpnOutcome::UnknownPayment)),
        ("ignored", ipn.acknowledge(IpnOutcome::Ignored)),
        ("rejected", ipn.acknowledge(IpnOutcome::Rejected(&rejected))),
        ("not stored", ipn.acknowledge(IpnOutcome::NotStored)),
    ]
}

async fn acknowledged(world: Arc<World>) -> Checked {
    let Some(declared) = world.under_test.acknowledgements() else {
        if world.info().notify == NotifyAddress::None {
            return ignore("no notification is sent, so none is answered");
        }
        return fail("say what notifications are answered: UnderTest::acknowledgements");
    };
    let wanted = [
        declared.accepted,
        declared.repeat,
        declared.repeat_completed,
        declared.unknown_payment,
        declared.ignored,
        declared.rejected,
        declared.not_stored,
    ];
    for ((outcome, reply), wanted) in replies(ipn(&*world.provider)?).into_iter().zip(wanted) {
        ensure!(reply == wanted, "{outcome}: the answer must be {wanted:?}, and is {reply:?}");
    }
    Ok(())
}

async fn not_stored(world: Arc<World>) -> Checked {
    let ipn = ipn(&*world.provider)?;
    let (stored, lost) = (ipn.acknowledge(IpnOutcome::Accepted), ipn.acknowledge(IpnOutcome::NotStored));
    ensure!(
        (stored.status, &stored.body) != (lost.status, &lost.body),
        "what could not be stored is answered like what was"
    );
    let status_is_the_answer = !(200..300).contains(&lost.status) || stored.body != lost.body;
    ensure!(status_is_the_answer, "what could not be stored is answered with {}", lost.status);
    Ok(())
}
