//! The places of live statuses: how many are open at one time, altogether, of one payment and of one address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tulbur_payments::PaymentId;

/// How many may be open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) all: usize,
    pub(crate) of_payment: usize,
    pub(crate) of_address: usize,
}

/// The places that are taken. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

/// It is as large as the number of places that are taken, and not of payments or addresses that ever came.
#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of_payment: HashMap<PaymentId, usize>,
    of_address: HashMap<IpAddr, usize>,
}

/// A place, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    payment: PaymentId,
    address: Option<IpAddr>,
}

impl Places {
    /// Takes a place, if there is one. An address that is not known has no limit of its own.
    pub(crate) fn take(&self, limits: Limits, payment: &PaymentId, address: Option<IpAddr>) -> Option<Place> {
        let address = address.map(household);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_payment = taken.of_payment.get(payment).copied().unwrap_or_default();
        let of_address = address.and_then(|one| taken.of_address.get(&one).copied()).unwrap_or_default();
        let fits = taken.all < limits.all && of_payment < limits.of_payment && of_address < limits.of_address;
        if !fits {
            return None;
        }
        taken.all += 1;
        *taken.of_payment.entry(payment.clone()).or_default() += 1;
        if let Some(address) = address {
            *taken.of_address.entry(address).or_default() += 1;
        }
        drop(taken);
        Some(Place { places: self.clone(), payment: payment.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        give_back(&mut taken.of_payment, &self.payment);
        if let Some(address) = &self.address {
            give_back(&mut taken.of_address, address);
        }
    }
}

fn give_back<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// What one customer of a network has: an address, or all that begin with 64 bits alike.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let places = Places::default();
        let limits = Limits { all: 4, of_payment: 2, of_address: 3 };
        let payment = |name: &str| PaymentId::from_text(name);
        let (a, b) =
            (payment("01900000000070008000000000000001"), payment("01900000000070008000000000000002"));
        let c = payment("01900000000070008000000000000003");
        let one = "203.0.113.9".parse().ok();
        let first = places.take(limits, &a, one).unwrap();
        let second = places.take(limits, &a, one).unwrap();
        assert!(places.take(limits, &a, None).is_none(), "of one payment");
        let third = places.take(limits, &b, one).unwrap();
        assert!(places.take(limits, &c, one).is_none(), "of one address");
        assert!(places.take(limits, &c, "::ffff:203.0.113.9".parse().ok()).is_none(), "the same address");
        let fourth = places.take(limits, &c, "2001:db8::1".parse().ok()).unwrap();
        assert!(places.take(limits, &c, None).is_none(), "altogether");
        drop(first);
        drop(places.take(limits, &c, one).unwrap());
        drop((second, third, fourth));
        let taken = places.0.lock().unwrap();
        assert_eq!((taken.all, taken.of_payment.len(), taken.of_address.len()), (0, 0, 0));
        let in_one_house =
            ["2001:db8::1", "2001:db8:0:0:ffff::2"].map(|text| household(text.parse().unwrap()));
        assert_eq!(in_one_house[0], in_one_house[1]);
    }
}
