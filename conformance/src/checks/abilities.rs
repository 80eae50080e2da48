//! Checks that the provider describes itself correctly.

use std::sync::Arc;

use tulbur_core::{Ability, ErrorKind, FlowStart, NotifyAddress, ProofBy, Provider, QueryBy, abilities};

use crate::check::List;
use crate::ops::Op;
use crate::world::{Checked, World, ensure, fail};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    list.add("info::every_ability_names_its_operations_and_nothing_else", operations);
    list.add("info::every_flow_is_described", flows);
    list.add("info::limits_belong_to_abilities_that_are_there", limits);
    for op in Op::offered(provider) {
        list.add(format!("ability::{}_is_there_and_works", op.name()), move |world| works(world, op));
    }
}

async fn operations(world: Arc<World>) -> Checked {
    let info = world.info();
    let present = abilities(&*world.provider);
    ensure!(!present.is_empty(), "the provider has no ability at all");
    for ability in &present {
        let named = info.operations.iter().any(|operation| operation.ability == *ability);
        ensure!(named, "`{}` is offered, and `operations` names none of its operations", ability.as_str());
    }
    let absent = info
        .operations
        .iter()
        .find(|operation| operation.ability != Ability::Inherent && !present.contains(&operation.ability));
    if let Some(operation) = absent {
        // An operation below the account's evidence is described and not offered.
        let strong = operation.evidence >= tulbur_core::Evidence::Observed;
        ensure!(!strong, "`{}` is described as {} and not offered", operation.name, operation.evidence);
    }
    for operation in &info.operations {
        ensure!(!operation.source.is_empty(), "`{}` names no source", operation.name);
        ensure!(!operation.wire.is_empty(), "`{}` does not say how it goes over the wire", operation.name);
    }
    Ok(())
}

async fn flows(world: Arc<World>) -> Checked {
    let (info, provider) = (world.info(), &world.provider);
    if provider.invoices().is_some() || provider.qr().is_some() {
        ensure!(!info.ways.is_empty(), "invoices are offered, and no way to pay them");
    }
    for way in &info.ways {
        ensure!(info.invoice_flow(*way).is_some(), "no flow begins with an invoice paid by {way:?}");
    }
    for (offered, start) in [
        (provider.charges().is_some(), FlowStart::Charge),
        (provider.tokenize().is_some(), FlowStart::CardSetup),
    ] {
        ensure!(
            offered == info.flow_of(&start).is_some(),
            "a flow begins with {start:?} if and only if it is offered"
        );
    }
    for flow in &info.flows {
        let name = flow.flow.as_str();
        let asked = flow.query_by != QueryBy::Nothing;
        ensure!(
            asked || flow.proof == ProofBy::SignedIpn,
            "`{name}`: nothing can be asked, and a query proves it"
        );
        ensure!(
            asked || !flow.confirm_before_paid,
            "`{name}`: nothing can be asked, and it waits for a query before it is paid"
        );
        ensure!(
            !flow.write_within.is_zero() && !flow.confirm_within.is_zero(),
            "`{name}`: no time is left for its write or for its confirmation"
        );
    }
    ensure!(!info.currencies.is_empty(), "no currency is named");
    Ok(())
}

async fn limits(world: Arc<World>) -> Checked {
    let (info, provider) = (world.info(), &world.provider);
    ensure!(
        provider.refunds().is_some() == info.refunds.is_some(),
        "`refunds` is set if and only if refunds are offered"
    );
    ensure!(
        provider.ipn().is_some() || info.notify == NotifyAddress::None,
        "a notification address is wanted, and no notification can be read"
    );
    if let Some(range) = &info.amounts {
        ensure!(
            range.start().is_positive() && range.start().minor() <= range.end().minor(),
            "the amounts are no range"
        );
        ensure!(range.start().currency() == range.end().currency(), "the amounts have two currencies");
    }
    Ok(())
}

async fn works(world: Arc<World>, op: Op) -> Checked {
    let ready = op.prepare(&world).await?;
    match ready.run(&world).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unsupported => fail(format!(
            "it is offered and refuses: {error}. What this account cannot do must be absent from the provider"
        )),
        Err(error) => Err(error.into()),
    }
}
