"""qpay-client (PyPI), whose types are strict and whose makers test it against QPay's own sandbox."""

import json
import sys
import urllib.request
from datetime import datetime, timedelta

from qpay_client.v2 import QPayClient, QPayError, QPaySettings
from qpay_client.v2 import schemas

with open(sys.argv[1], encoding="utf-8") as file:
    ready = json.load(file)
bank = ready["providers"]["qpay"]
given = bank["credentials"]
settings = QPaySettings(
    username=given["username"],
    password=given["password"],
    invoice_code=given["invoice_code"],
    base_url=bank["base_url"] + "/v2",
    payment_check_retries=0,
    client_retries=0,
)


def act(reference, action, details=b"{}"):
    address = f"{ready['control']}/api/qpay/payments/{reference}/{action}"
    with urllib.request.urlopen(urllib.request.Request(address, data=details, method="POST")) as answer:
        assert answer.status == 200


def refused(call, code):
    try:
        call()
    except QPayError as error:
        assert code in str(error), error
    else:
        raise AssertionError(f"expected a refusal with {code}")


def check(invoice_id, page=1, limit=100):
    offset = schemas.Offset(page_number=page, page_limit=limit)
    return client.payment_check(
        schemas.PaymentCheckRequest(object_type="INVOICE", object_id=invoice_id, offset=offset)
    )


with QPayClient(settings=settings) as client:

    def invoice(number):
        return client.invoice_create(
            schemas.InvoiceCreateSimpleRequest(
                sender_invoice_no=number,
                invoice_receiver_code="terminal",
                invoice_description="test",
                amount="100",
                callback_url="https://shop.example/cb?o=1",
            )
        )

    created = invoice("PY-1")
    assert len(created.urls) >= 3 and created.qr_image, created
    assert client.invoice_get(created.invoice_id).sender_invoice_no == "PY-1"
    assert check(created.invoice_id).count == 0
    act("PY-1", "fail")
    act("PY-1", "pay", b'{"payment_id":"089741882240445"}')
    found = check(created.invoice_id)
    assert [row.payment_status.value for row in found.rows] == ["FAILED", "PAID"], found
    assert found.paid_amount == 100, found
    assert str(client.payment_get("089741882240445").payment_id) == "089741882240445"
    refused(lambda: client.payment_refund("089741882240445", schemas.PaymentRefundRequest(note="n")), "PAYMENT_SETTLED")
    refused(lambda: client.invoice_cancel(created.invoice_id), "INVOICE_PAID")
    assert client.invoice_get(created.invoice_id).invoice_status.value == "CLOSED"

    now = datetime.now()
    listed = client.payment_list(
        schemas.PaymentListRequest(
            object_type="INVOICE",
            object_id=given["invoice_code"],
            start_date=now - timedelta(days=2),
            end_date=now + timedelta(days=2),
            offset=schemas.Offset(page_number=1, page_limit=20),
        )
    )
    assert listed.count >= 2, listed

    # The token is refused in mid-way: the client renews it and repeats once.
    act("session", "expire-tokens")
    second = invoice("PY-2")
    act("PY-2", "pay-by-card")
    card = check(second.invoice_id).rows[0].payment_id
    assert client.payment_refund(str(card), schemas.PaymentRefundRequest(note="n")) == 200
    third = invoice("PY-3")
    assert client.invoice_cancel(third.invoice_id) == 200
    refused(lambda: client.invoice_cancel(third.invoice_id), "INVOICE_ALREADY_CANCELED")
print("qpay-client-py: done")
