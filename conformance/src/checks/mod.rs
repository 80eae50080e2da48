//! The checks, chosen by what the provider says of itself.

mod abilities;
mod answers;
mod cards;
mod holds;
mod money;
mod notifications;
mod outcomes;
mod parts;
mod payments;
mod qr;
mod refunds;
mod secrets;

use std::sync::Arc;

use tulbur_core::{BuildEnv, ManualClock, NoNetwork, Provider, RandomIds, Result, Timestamp};

use crate::check::List;
use crate::under_test::{Keys, UnderTest};

/// Adds every check that applies.
pub(crate) fn list(list: &mut List, under_test: &Arc<dyn UnderTest>) {
    match described(&**under_test) {
        Ok(provider) => {
            let provider = &*provider;
            abilities::list(list, provider);
            money::list(list, provider);
            payments::list(list, provider);
            notifications::list(list, provider, under_test.notifications().as_ref());
            outcomes::list(list, provider);
            parts::list(list, provider);
            refunds::list(list, provider);
            holds::list(list, provider);
            cards::list(list, provider);
            qr::list(list, provider);
            answers::list(list, provider);
            secrets::list(list, provider);
        }
        Err(error) => {
            let why = format!("it cannot be built with its own keys: {error}");
            list.add("account::it_can_be_built", move |_| {
                let why = why.clone();
                async move { crate::world::fail(why) }
            });
        }
    }
}

/// The provider, built to be looked at and not to be used.
fn described(under_test: &dyn UnderTest) -> Result<Arc<dyn Provider>> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    under_test.build(Keys::Own, &BuildEnv::new(Arc::new(NoNetwork), clock, Arc::new(RandomIds)))
}
