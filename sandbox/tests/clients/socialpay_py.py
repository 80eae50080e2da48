"""mongolian-payment-socialpay (PyPI), as its README shows it, by both of its clients."""

import asyncio
import json
import sys
import urllib.request

from mongolian_payment_socialpay import (
    AsyncSocialPayClient,
    SocialPayClient,
    SocialPayConfig,
    SocialPayError,
)

with open(sys.argv[1], encoding="utf-8") as file:
    ready = json.load(file)
bank = ready["providers"]["golomt-instore"]
terminal, secret = bank["credentials"]["terminal"], bank["credentials"]["secret"]
config = SocialPayConfig(terminal=terminal, secret=secret, endpoint=bank["base_url"])


def act(invoice, action):
    address = f"{ready['control']}/api/golomt-instore/payments/{invoice}/{action}"
    with urllib.request.urlopen(urllib.request.Request(address, data=b"{}", method="POST")) as answer:
        assert answer.status == 200


def refused(call, words):
    try:
        call()
    except SocialPayError as error:
        assert error.status_code == 400 and words in str(error), error
    else:
        raise AssertionError(f"expected a refusal with {words}")


with SocialPayClient(config) as client:
    sent = client.invoice_phone(5000, "PY-PHONE", "99001234")
    assert sent.status == "SUCCESS" and "success" in sent.description, sent
    assert client.check_transaction(5000, "PY-PHONE").response_code != "00"
    act("PY-PHONE", "pay")
    paid = client.check_transaction(5000, "PY-PHONE")
    assert paid.response_code == "00" and paid.amount == 5000, paid
    assert (paid.terminal, paid.invoice) == (terminal, "PY-PHONE"), paid
    print("socialpay-py: paid", paid.card_number)

    # Python writes a float of a whole number with one decimal, and signs what it sends.
    code = client.invoice_qr(3000.0, "PY-QR")
    assert code.description.startswith("000201010212"), code
    assert client.cancel_invoice(3000.0, "PY-QR").status == "SUCCESS"
    assert client.cancel_transaction(5000, "PY-PHONE").response_code == "00"
    settled = client.transaction_settlement("PY-SETTLE")
    assert (settled.amount, settled.count, settled.status) == (0, 0, "SUCCESS"), settled

    refused(lambda: client.invoice_qr(3000.0, "PY-QR"), "error.duplicate.invoice")
    refused(lambda: client.check_transaction(1, "PY-NONE"), "error.notfound.invoice")
    wrong = SocialPayConfig(terminal=terminal, secret="wrong", endpoint=bank["base_url"])
    refused(lambda: SocialPayClient(wrong).check_transaction(5000, "PY-PHONE"), "error.invalid.checksum")


async def also():
    async with AsyncSocialPayClient(config) as client:
        code = await client.invoice_qr(1100.5, "PY-ASYNC")
        assert code.description.startswith("000201010212"), code
        act("PY-ASYNC", "pay")
        assert (await client.check_transaction(1100.5, "PY-ASYNC")).response_code == "00"
        assert (await client.transaction_settlement("PY-SETTLE-2")).count == 1


asyncio.run(also())
print("socialpay-py: done")
