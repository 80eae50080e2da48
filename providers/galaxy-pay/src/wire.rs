//! Exactly what crosses the network: what is sent, and what is read of what comes back.

#![expect(clippy::struct_field_names, reason = "the names are the gateway's")]

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use tulbur_core::wire::Field;

use crate::codes::{LinkField, LinkMethod};
use crate::extra::ExtraData;
use crate::options::ExpiryUnit;

/// A number whose characters are ours: an amount, a date.
pub(crate) type Number = Box<RawValue>;

/// What every request is wrapped in (G 2.2).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a, T> {
    #[serde(rename = "requestID")]
    pub(crate) request_id: &'a str,
    pub(crate) request_date_time: &'a RawValue,
    pub(crate) request_data: &'a T,
}

/// What names an order, its money and its time; the same in every operation that has any.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order<'a> {
    #[serde(rename = "orderID")]
    pub(crate) order_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order_number: Option<&'a str>,
    pub(crate) order_amount: Number,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<Parts>,
    pub(crate) order_currency: &'static str,
    pub(crate) order_date_time: Number,
    pub(crate) order_description: &'a str,
}

/// What the modal checkout wants to know beside the amount.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parts {
    pub(crate) order_net_amount: Number,
    pub(crate) order_fee_amount: Number,
    pub(crate) order_discount_amount: Number,
}

/// `pay`, `payWithOption`, `payWithQR` and `checkout`: each leaves out what its own table does not have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PayData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_operation: Option<&'static str>,
    #[serde(flatten)]
    pub(crate) order: Order<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_type: Option<&'a str>,
    /// A text: the table calls it Alpha(20). Whether a JSON boolean is taken too is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is_auto_capture: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_of_fund: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) card: Option<CardFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer_token: Option<&'a str>,
    pub(crate) language: &'static str,
    #[serde(rename = "successURL", skip_serializing_if = "Option::is_none")]
    pub(crate) success_url: Option<&'a str>,
    #[serde(rename = "failureURL", skip_serializing_if = "Option::is_none")]
    pub(crate) failure_url: Option<&'a str>,
    #[serde(rename = "cancelURL", skip_serializing_if = "Option::is_none")]
    pub(crate) cancel_url: Option<&'a str>,
    #[serde(rename = "ipnURL", skip_serializing_if = "Option::is_none")]
    pub(crate) ipn_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sub_merchant: Option<SubMerchant<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extra_data: Option<&'a ExtraData>,
}

/// A card in clear.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CardFields<'a> {
    pub(crate) card_number: &'a str,
    pub(crate) card_holder_name: &'a str,
    pub(crate) card_expire_date: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) card_verification_value: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct SubMerchant<'a> {
    pub(crate) identifier: &'a str,
}

/// `createPaymentLink`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkData<'a> {
    #[serde(rename = "orderID")]
    pub(crate) order_id: &'a str,
    pub(crate) order_name: &'a str,
    pub(crate) order_amount: Number,
    pub(crate) order_currency: &'static str,
    pub(crate) order_description: &'a str,
    pub(crate) expiry_duration: u32,
    pub(crate) expiry_unit: ExpiryUnit,
    pub(crate) payment_methods: &'a [LinkMethod],
    pub(crate) payment_fields: &'a [LinkField],
    #[serde(rename = "ipnURL", skip_serializing_if = "Option::is_none")]
    pub(crate) ipn_url: Option<&'a str>,
    pub(crate) language: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sub_merchant: Option<SubMerchant<'a>>,
}

/// `query`.
#[derive(Serialize)]
pub(crate) struct QueryData<'a> {
    #[serde(rename = "transactionID")]
    pub(crate) transaction_id: &'a str,
}

/// `refund`; and, inferred from it, `capture` and `void`.
#[derive(Serialize)]
pub(crate) struct ChangeData<'a> {
    #[serde(rename = "transactionID")]
    pub(crate) transaction_id: &'a str,
    #[serde(flatten)]
    pub(crate) order: Order<'a>,
}

/// `deleteToken`.
#[derive(Serialize)]
pub(crate) struct TokenData<'a> {
    pub(crate) token: &'a str,
}

/// `createToken`.
#[cfg(feature = "raw-card-data")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateTokenData<'a> {
    pub(crate) payment_method: &'a str,
    #[serde(flatten)]
    pub(crate) card: CardFields<'a>,
}

/// `queryTokens`, and inferred from it `removeToken`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomerData<'a> {
    pub(crate) customer_token: &'a str,
    #[serde(rename = "tokenID", skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<&'a str>,
}

/// What every answer is wrapped in, and the decoded text of every callback (G 2.2, 2.6, 2.7).
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope<'a> {
    /// A payment link's callback spells it `requestId`.
    #[serde(rename = "requestID", alias = "requestId")]
    pub(crate) request_id: Field<'a>,
    pub(crate) response_code: Field<'a>,
    pub(crate) response_message: Field<'a>,
    pub(crate) response_data: Option<&'a RawValue>,
}

/// The answer to a create. Each operation has some of it.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created<'a> {
    #[serde(rename = "transactionID")]
    pub(crate) transaction_id: Field<'a>,
    pub(crate) endpoint: Field<'a>,
    pub(crate) qr_code: Field<'a>,
    pub(crate) transaction_status: Field<'a>,
    pub(crate) order_no: Field<'a>,
    pub(crate) short_link: Field<'a>,
}

/// What the gateway says of one payment: the answer to a query, or a callback.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transaction<'a> {
    #[serde(rename = "transactionID")]
    pub(crate) transaction_id: Field<'a>,
    pub(crate) transaction_stage: Field<'a>,
    pub(crate) transaction_status: Field<'a>,
    pub(crate) transaction_description: Field<'a>,
    #[serde(rename = "orderID")]
    pub(crate) order_id: Field<'a>,
    pub(crate) order_amount: Field<'a>,
    pub(crate) order_currency: Field<'a>,
    /// A payment link's number, which stands instead of the other two.
    pub(crate) order_no: Field<'a>,
    pub(crate) tokenization: Option<&'a RawValue>,
}

/// A saved card: `tokenization` of a callback, or the answer to `createToken`. The holder's name is not read: nothing
/// here needs it.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account<'a> {
    pub(crate) account_brand: Field<'a>,
    pub(crate) account_source: Field<'a>,
    pub(crate) account_number: Field<'a>,
    pub(crate) token: Field<'a>,
    pub(crate) status: Field<'a>,
    #[serde(rename = "tokenID")]
    pub(crate) token_id: Field<'a>,
}

/// The answer to `queryTokens`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomerAnswer<'a> {
    #[serde(rename = "customerID")]
    pub(crate) customer_id: Field<'a>,
    #[serde(default)]
    pub(crate) tokens: Vec<Account<'a>>,
}

/// The text that a JSON number of these digits is.
pub(crate) fn number(digits: String) -> tulbur_core::Result<Number> {
    RawValue::from_string(digits)
        .map_err(|e| tulbur_core::Error::invalid("date", "it is no number").with_source(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tulbur_core::wire::{filled, read};

    fn order(description: &str) -> Order<'_> {
        Order {
            order_id: "order-1",
            order_number: None,
            order_amount: number("10000".into()).unwrap(),
            parts: None,
            order_currency: "VND",
            order_date_time: number("20250101070000".into()).unwrap(),
            order_description: description,
        }
    }

    fn pay(order: Order<'_>) -> PayData<'_> {
        PayData {
            api_version: None,
            api_operation: Some("PAY"),
            order,
            payment_method: Some("DOMESTIC"),
            source_type: None,
            is_auto_capture: None,
            source_of_fund: None,
            token: None,
            card: None,
            customer_token: None,
            language: "vi",
            success_url: None,
            failure_url: None,
            cancel_url: None,
            ipn_url: None,
            sub_merchant: None,
            extra_data: None,
        }
    }

    /// The message of the vector `derived-utf8-raw-vietnamese`, written by what writes real requests.
    #[test]
    fn a_request_is_written_byte_for_byte_as_the_vector_has_it() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../tests/vectors/galaxy-pay.json")).unwrap();
        let vector = vectors["vectors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|vector| vector["name"] == "derived-utf8-raw-vietnamese")
            .unwrap();
        let now = number("20250101070000".into()).unwrap();
        let data = pay(order("Thanh toán đơn hàng"));
        let request = Request {
            request_id: "00000000000000000000000000000001",
            request_date_time: &now,
            request_data: &data,
        };
        assert_eq!(serde_json::to_string(&request).unwrap(), vector["message"].as_str().unwrap());
    }

    #[test]
    fn what_is_set_stands_where_the_tables_have_it() {
        let mut order = order("d");
        order.order_number = Some("0052");
        order.parts = Some(Parts {
            order_net_amount: number("1".into()).unwrap(),
            order_fee_amount: number("2".into()).unwrap(),
            order_discount_amount: number("3".into()).unwrap(),
        });
        let mut data = pay(order);
        (data.api_version, data.is_auto_capture) = (Some(2), Some("false"));
        data.source_type = Some("VISA");
        data.source_of_fund = Some("CARD");
        data.card = Some(CardFields {
            card_number: "4012000033330026",
            card_holder_name: "A",
            card_expire_date: "01/39",
            card_verification_value: None,
        });
        (data.success_url, data.ipn_url) = (Some("https://a.vn/s?x=1"), Some("https://a.vn/i"));
        data.sub_merchant = Some(SubMerchant { identifier: "m" });
        let extra = ExtraData::Any(serde_json::Map::new());
        data.extra_data = Some(&extra);
        assert_eq!(
            serde_json::to_string(&data).unwrap(),
            concat!(
                r#"{"apiVersion":2,"apiOperation":"PAY","orderID":"order-1","orderNumber":"0052","orderAmount":10000,"#,
                r#""orderNetAmount":1,"orderFeeAmount":2,"orderDiscountAmount":3,"orderCurrency":"VND","#,
                r#""orderDateTime":20250101070000,"orderDescription":"d","paymentMethod":"DOMESTIC","sourceType":"VISA","#,
                r#""isAutoCapture":"false","sourceOfFund":"CARD","cardNumber":"4012000033330026","cardHolderName":"A","#,
                r#""cardExpireDate":"01/39","language":"vi","successURL":"https://a.vn/s?x=1","ipnURL":"https://a.vn/i","#,
                r#""subMerchant":{"identifier":"m"},"extraData":{}}"#
            )
        );
    }

    #[test]
    fn both_spellings_of_the_request_id_and_both_kinds_of_scalars_are_read() {
        for body in [
            r#"{"requestID":"r","responseCode":"200","responseData":{"transactionID":"t","orderAmount":"109000"}}"#,
            r#"{"requestId":"r","responseCode":200,"responseData":{"transactionID":"t","orderAmount":109000},"x":[]}"#,
        ] {
            let envelope: Envelope<'_> = read(body.as_bytes()).unwrap();
            assert_eq!(
                (filled(&envelope.request_id), filled(&envelope.response_code)),
                (Some("r"), Some("200"))
            );
            let data: Transaction<'_> = read(envelope.response_data.unwrap().get().as_bytes()).unwrap();
            assert_eq!(filled(&data.order_amount), Some("109000"));
        }
        assert!(read::<Envelope<'_>>(br#"{"requestID":"a","requestId":"b"}"#).is_err());
    }
}
