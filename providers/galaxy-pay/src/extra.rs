//! Defines `extraData`: facts about customer, device and goods that a merchant can send (G 2.4.1).
//!
//! Everything is optional, and everything is text: the guide gives lengths, its own examples break them, and nothing is
//! known to be checked. Where the guide's table and its examples spell a name differently, the examples are followed,
//! as the official samples do.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::flight::DataFlight;
use crate::group::group;

group! {
    /// Who buys.
    Customer {
        first_name = "firstName": "given name, at most 50 characters",
        last_name = "lastName": "family name, at most 50",
        identity_number = "identityNumber": "digits of an identity document, at most 50",
        email = "email": "address, at most 50",
        phone_number = "phoneNumber": "digits, at most 50",
        phone_type = "phoneType": "`F` fixed or `M` mobile",
        gender = "gender": "`M` or `F`",
        date_of_birth = "dateOfBirth": "`yyyyMMdd`",
        title = "title": "form of address, at most 50",
    }
}

group! {
    /// What the customer buys with. Host name and address are those of the merchant's server.
    Device {
        browser = "browser": "at most 50",
        fingerprint = "fingerprint": "at most 100",
        host_name = "hostName": "of the merchant's server, at most 50",
        ip_address = "ipAddress": "of the merchant's server, at most 50",
        device_id = "deviceID": "at most 50",
        device_model = "deviceModel": "at most 50",
    }
}

group! {
    /// The merchant's application.
    Application {
        application_id = "applicationID": "at most 50",
        application_channel = "applicationChannel": "`Mobile`, `Web` or `POS`",
    }
}

group! {
    /// A journey by air.
    Airline {
        record_locator = "recordLocator": "the booking (PNR), at most 50",
        journey_type = "journeyType": "`1` one way, `2` there and back",
        departure_airport = "departureAirport": "at most 50",
        departure_date_time = "departureDateTime": "`yyyyMMddHHmmss`",
        arrival_airport = "arrivalAirport": "at most 50",
        arrival_date_time = "arrivalDateTime": "`yyyyMMddHHmmss`",
        ;
        services: Service = "services": "what is bought beside the seat",
        flights: Flight = "flights": "the legs",
        passengers: Passenger = "passengers": "who flies",
    }
}

group! {
    /// Something bought beside the seat.
    Service {
        service_code = "serviceCode": "at most 50",
        quantity = "quantity": "at most 10",
        amount = "amount": "at most 16",
        tax = "tax": "at most 6",
        fee = "fee": "at most 6",
        total_amount = "totalAmount": "only in the guide's example",
        currency = "currency": "three letters",
    }
}

group! {
    /// One leg; each text at most 50 characters.
    Flight {
        airline_code = "airlineCode": "airline",
        carrier_code = "carrierCode": "who flies it",
        flight_number = "flightNumber": "number of the flight",
        travel_class = "travelClass": "class",
        departure_airport = "departureAirport": "from",
        departure_date = "departureDate": "`yyyyMMdd`",
        departure_time = "departureTime": "`HHmmss`",
        departure_tax = "departureTax": "tax",
        arrival_airport = "arrivalAirport": "to",
        arrival_date = "arrivalDate": "`yyyyMMdd`",
        arrival_time = "arrivalTime": "`HHmmss`",
        fees = "fees": "fees",
        taxes = "taxes": "taxes",
        fares = "fares": "fares",
        fare_basis_code = "fareBasisCode": "fare basis",
        origin_country = "originCountry": "two letters",
    }
}

group! {
    /// One who flies.
    Passenger {
        passenger_id = "passengerID": "at most 50",
        passenger_type = "passengerType": "`ADT`, `CHD` or `INF`",
        first_name = "firstName": "given name",
        last_name = "lastName": "family name",
        title = "title": "form of address",
        gender = "gender": "`M` or `F`",
        date_of_birth = "dateOfBirth": "`yyyyMMdd`",
        identity_number = "identityNumber": "of a document",
        name_in_pnr = "nameInPNR": "as the booking has it",
        member_ticket = "memberTicket": "number of a frequent flyer",
    }
}

/// An address, for the bill or for the goods; the two have the same fields.
macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        group! {
            $(#[$doc])*
            $name {
                country = "country": "two letters",
                state = "state": "at most 50",
                city = "city": "at most 50",
                postal_code = "postalCode": "at most 50",
                street_number = "streetNumber": "at most 50",
                address01 = "address01": "at most 50",
                address02 = "address02": "at most 50",
            }
        }
    };
}

address! {
    /// Where the bill goes.
    Billing
}

address! {
    /// Where the goods go.
    Shipping
}

/// The groups of `extraData`. `Debug` names what is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExtraGroups {
    /// Who buys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// What the customer buys with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// The merchant's application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// A journey by air.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub airline: Option<Airline>,
    /// Where the bill goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<Billing>,
    /// Where the goods go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Shipping>,
}

/// `extraData`, in one of its shapes. `Debug` shows no value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, from = "Map<String, Value>")]
pub enum ExtraData {
    /// The guide's groups.
    Groups(Box<ExtraGroups>),
    /// The shape of Vietjet's bookings.
    Flight(Box<DataFlight>),
    /// Any other JSON object, sent with its members in alphabetical order.
    Any(Map<String, Value>),
}

impl fmt::Debug for ExtraData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Groups(groups) => fmt::Debug::fmt(groups, f),
            Self::Flight(flight) => fmt::Debug::fmt(flight, f),
            Self::Any(map) => f.debug_set().entries(map.keys()).finish(),
        }
    }
}

/// In the shape that all of its members have.
impl From<Map<String, Value>> for ExtraData {
    fn from(map: Map<String, Value>) -> Self {
        let object = Value::Object(map.clone());
        if let Ok(groups) = ExtraGroups::deserialize(&object) {
            Self::Groups(Box::new(groups))
        } else if let Ok(flight) = DataFlight::deserialize(&object) {
            Self::Flight(Box::new(flight))
        } else {
            Self::Any(map)
        }
    }
}

impl From<ExtraGroups> for ExtraData {
    fn from(groups: ExtraGroups) -> Self {
        Self::Groups(Box::new(groups))
    }
}

impl From<DataFlight> for ExtraData {
    fn from(flight: DataFlight) -> Self {
        Self::Flight(Box::new(flight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_written_with_the_names_of_the_examples() {
        let customer = Customer { first_name: Some("Ánh".into()), ..Customer::default() };
        let flight = Flight { fare_basis_code: Some("Y".into()), ..Flight::default() };
        let airline =
            Airline { departure_airport: Some("SGN".into()), flights: vec![flight], ..Airline::default() };
        let groups =
            ExtraGroups { customer: Some(customer), airline: Some(airline), ..ExtraGroups::default() };
        let json = serde_json::to_string(&ExtraData::from(groups.clone())).unwrap();
        let wanted = r#"{"customer":{"firstName":"Ánh"},"airline":{"departureAirport":"SGN","flights":[{"fareBasisCode":"Y"}]}}"#;
        assert_eq!(json, wanted);
        assert_eq!(serde_json::from_str::<ExtraData>(&json).unwrap(), ExtraData::from(groups));
        assert_eq!(serde_json::to_string(&ExtraData::from(ExtraGroups::default())).unwrap(), "{}");
    }

    #[test]
    fn an_object_is_read_in_the_shape_that_it_has() {
        for (json, groups, flight) in [
            (r#"{"customer":{"gender":"F"}}"#, true, false),
            (r#"{"mc_acc_code":"A","payment_detail":[{"leg_index":"1"}]}"#, false, true),
            (r#"{"customer":{"stateProvine":"x"}}"#, false, false),
            (r#"{"mine":{"l":[true,null],"n":1}}"#, false, false),
        ] {
            let extra: ExtraData = serde_json::from_str(json).unwrap();
            assert_eq!(matches!(extra, ExtraData::Groups(_)), groups, "{json}");
            assert_eq!(matches!(extra, ExtraData::Flight(_)), flight, "{json}");
            assert_eq!(serde_json::to_string(&extra).unwrap(), json);
        }
        assert!(serde_json::from_str::<ExtraData>("[]").is_err());
        assert!(serde_json::from_str::<ExtraData>("\"a\"").is_err());
    }

    #[test]
    fn nothing_about_a_person_is_printed() {
        let json = r#"{"customer":{"email":"planted@example.com","dateOfBirth":"planted"}}"#;
        for json in [json, r#"{"cus_email":"planted"}"#, r#"{"a":"planted"}"#] {
            let extra: ExtraData = serde_json::from_str(json).unwrap();
            let shown = format!("{extra:?}");
            assert!(!shown.contains("planted"), "{shown}");
            assert!(shown.contains("email") || shown.contains('a'), "{shown}");
        }
    }
}
