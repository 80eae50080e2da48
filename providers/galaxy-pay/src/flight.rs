//! *Data Flight*: the shape of `extraData` for Vietjet's bookings (D: api-specification/data-flight).

use crate::group::group;

group! {
    /// A booking. What the page marks mandatory is said with the field; nothing is checked here.
    DataFlight {
        mc_acc_code = "mc_acc_code": "mandatory, at most 15 characters",
        channel_id = "channel_id": "mandatory: `WEB`, `MOBILE` or `POS`",
        ip_addr = "ip_addr": "at most 45",
        pay_method_code = "pay_method_code": "mandatory, at most 20",
        order_number = "order_number": "mandatory, at most 20",
        record_locator = "record_locator": "mandatory, at most 100",
        created_date = "created_date": "mandatory, 14 digits",
        expire_date = "expire_date": "mandatory, 14 digits; whether the payment ends then is unknown",
        add_data = "add_data": "at most 255",
        app_id = "app_id": "at most 100",
        cus_street_number = "cus_street_number": "mandatory, at most 255",
        cus_add_line1 = "cus_add_line1": "mandatory, at most 255",
        cus_add_line2 = "cus_add_line2": "mandatory, at most 255",
        postal_code = "postal_code": "mandatory, at most 15",
        cus_title = "cus_title": "mandatory, at most 10",
        cus_name = "cus_name": "mandatory, at most 100",
        cus_country = "cus_country": "mandatory, two letters",
        cus_email = "cus_email": "mandatory, at most 255",
        cus_phone_number = "cus_phone_number": "mandatory, at most 20",
        cus_phone_type = "cus_phone_type": "optional",
        cus_dob = "cus_dob": "mandatory, 8 digits",
        city_name = "city_name": "at most 100",
        state_province = "state_province": "at most 100",
        country_code = "country_code": "mandatory, at most 3 letters",
        ;
        payment_detail: FlightPayment = "payment_detail": "what each leg costs",
        passenger_list: FlightPassenger = "passenger_list": "who flies",
    }
}

group! {
    /// What is paid for one leg.
    FlightPayment {
        leg_index = "leg_index": "at most 2",
        service_code = "service_code": "at most 10",
        amount = "amount": "at most 12",
        ccy_code = "ccy_code": "three letters",
        payment_desc = "payment_desc": "at most 255",
        additional_data = "additional_data": "at most 255",
    }
}

group! {
    /// One who flies, as far as the page could be read. For more, write the whole object as
    /// [`ExtraData::Any`](crate::ExtraData::Any).
    FlightPassenger {
        pax_id = "pax_id": "at most 20",
        pax_type = "pax_type": "three letters",
        gender = "gender": "one letter",
        dob = "dob": "date of birth, at most 10",
    }
}
