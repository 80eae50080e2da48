//! QR payloads in EMVCo's form.

use std::sync::Arc;

use tulbur_core::{NextAction, Provider, Way};

use crate::check::List;
use crate::world::{Checked, World, ensure, fail};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    if provider.qr().is_some() {
        list.add("qr::the_payload_parses_and_its_checksum_is_right", payload);
    }
}

async fn payload(world: Arc<World>) -> Checked {
    let Some(qr) = world.provider.qr() else { return fail("it makes no QR") };
    let mut request = world.invoice_request(world.amount());
    request.way = Way::Qr;
    let invoice = qr.create_qr(&request).await?;
    let payloads: Vec<&str> = invoice
        .next
        .iter()
        .filter_map(|next| if let NextAction::ShowQr(text) = next { Some(text.as_str()) } else { None })
        .collect();
    ensure!(!payloads.is_empty(), "there is no ShowQr in {:?}", invoice.next);
    for payload in payloads {
        // A provider's own link is a payload too; what begins like EMVCo's must be whole.
        if payload.starts_with("000201") {
            check(payload).or_else(fail)?;
        }
        ensure!(!payload.is_empty(), "an empty payload");
    }
    Ok(())
}

/// Walks the fields (two digits of tag, two of length, the value) and compares the CRC at the end.
fn check(payload: &str) -> Result<(), String> {
    let mut rest = payload;
    let mut last = "";
    while !rest.is_empty() {
        let (Some(tag), Some(length)) = (rest.get(..2), rest.get(2..4)) else {
            return Err(format!("it ends within a field: `{rest}`"));
        };
        let length: usize = length.parse().map_err(|_| format!("`{length}` is no length"))?;
        // Lengths count characters, of which some have several bytes.
        let value = &rest[4..];
        let end = value.char_indices().nth(length).map_or(value.len(), |(at, _)| at);
        if value[..end].chars().count() != length {
            return Err(format!("field {tag} ends too early"));
        }
        (last, rest) = (tag, &value[end..]);
    }
    if last != "63" {
        return Err(format!("the last field is {last}, not the checksum 63"));
    }
    let (covered, given) = payload.split_at(payload.len() - 4);
    // Some Mongolian issuers write the CRC of ISO/IEC 3309 (X.25) there, and some write lower case.
    let right = [crc(covered.as_bytes()), x25(covered.as_bytes())].map(|crc| format!("{crc:04X}"));
    if right.iter().any(|right| given.eq_ignore_ascii_case(right)) {
        Ok(())
    } else {
        Err(format!("its checksum is {given} and should be {}", right[0]))
    }
}

/// CRC-16 as ISO/IEC 13239 has it, with the polynomial 1021 and FFFF to begin with (EMV QRCPS, 4.7.3).
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// CRC-16/X-25: the same polynomial, with every bit the other way round.
fn x25(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte),
            |crc, _| {
                if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0x8408 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        // The check values of CRC-16/IBM-3740 and CRC-16/IBM-SDLC, as catalogues of CRCs list them.
        assert_eq!(crc(b"123456789"), 0x29B1);
        assert_eq!(x25(b"123456789"), 0x906E);
    }

    #[test]
    fn a_payload_is_whole_or_not() {
        let body = "00020101021253034965802MN6304";
        let good = format!("{body}{:04X}", crc(body.as_bytes()));
        assert_eq!(check(&good), Ok(()));
        assert_eq!(check(&format!("{body}{:04x}", crc(body.as_bytes()))), Ok(()));
        assert_eq!(check(&format!("{body}{:04x}", x25(body.as_bytes()))), Ok(()));
        assert!(check(&good.replace("496", "704")).unwrap_err().contains("checksum"));
        assert!(check(&good[..good.len() - 1]).is_err());
        assert!(check("000201").unwrap_err().contains("last field"));
    }
}
