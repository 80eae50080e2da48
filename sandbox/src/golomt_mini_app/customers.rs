//! The customers: invented, and shaped so that nobody can have their numbers.

/// Somebody whose phone the sandbox plays.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Customer {
    /// The name in the control API.
    pub name: &'static str,
    /// SocialPay's number of the customer, `individualId`.
    pub id: u64,
    /// `lastName`.
    pub last_name: &'static str,
    /// `firstName`.
    pub first_name: &'static str,
    /// `registerNumber`: two letters and eight digits whose date does not exist.
    pub register_number: &'static str,
    /// `account`.
    pub account: &'static str,
    /// `mobileNumber`: no such prefix is given out.
    pub mobile_number: &'static str,
    /// `email`, at a domain that is reserved for examples.
    pub email: &'static str,
    /// `imgUrl`, at the same domain.
    pub image: &'static str,
}

/// Every customer.
pub const CUSTOMERS: &[Customer] = &[
    Customer {
        name: "bat",
        id: 9_000_000_001,
        last_name: "Жишээ",
        first_name: "Бат",
        register_number: "ЯЯ00000001",
        account: "0000000001",
        mobile_number: "00000001",
        email: "bat@example.com",
        image: "https://example.com/bat.png",
    },
    Customer {
        name: "tuya",
        id: 9_000_000_002,
        last_name: "Жишээ",
        first_name: "Туяа",
        register_number: "ЯЯ00000002",
        account: "0000000002",
        mobile_number: "00000002",
        email: "tuya@example.com",
        image: "https://example.com/tuya.png",
    },
];

impl Customer {
    /// The customer with this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        CUSTOMERS.iter().find(|customer| customer.name == name)
    }

    /// The customer with this `individualId`, as text.
    pub(super) fn by_id(id: &str) -> Option<&'static Self> {
        CUSTOMERS.iter().find(|customer| customer.id.to_string() == id)
    }
}
