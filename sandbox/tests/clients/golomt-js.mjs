// @mongolian-payment/golomt (npm), as its README shows it: invoice, page, inquiry, charge of a token.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { GolomtClient } from "@mongolian-payment/golomt";

const ready = JSON.parse(readFileSync(process.argv[2], "utf8"));
const bank = ready.providers["golomt-ecommerce"];
const client = new GolomtClient({
  endpoint: bank.base_url,
  secret: bank.credentials.secret,
  bearerToken: bank.credentials.token,
});

const order = {
  amount: 50000,
  transactionId: "order-12345",
  returnType: "POST",
  callback: "https://yoursite.com/payment/callback",
  getToken: true,
  socialDeeplink: true,
};
const invoice = await client.createInvoice(order);
assert.equal(invoice.transactionId, "order-12345");
assert.match(invoice.socialDeeplink, /^socialpay-payment:\/\/key=/);
console.log("golomt-js: invoice", invoice.invoice);

const pending = await client.inquiry("order-12345");
assert.equal(pending.errorCode, null);

for (const method of ["payment", "socialpay"]) {
  const page = await fetch(client.getPaymentUrl(invoice.invoice, "EN", method));
  assert.equal(page.status, 200, method);
}
const paid = await fetch(client.getPaymentUrl(invoice.invoice), {
  method: "POST",
  redirect: "manual",
  body: new URLSearchParams({
    action: "pay", number: "9999 9900 0000 0006", expiry: "12/30", cvc: "123", holder: "TEST PAYER",
  }),
});
assert.equal(paid.status, 200);
assert.match(await paid.text(), /action="https:\/\/yoursite.com\/payment\/callback"/);

const status = await client.inquiry("order-12345");
assert.equal(status.errorCode, "000");
assert.equal(status.amount, "50000.00");
assert.match(status.token, /^[0-9a-f]{64}$/);
console.log("golomt-js: paid", status.cardNumber);

const charged = await client.payByToken(50000, status.token, "order-67890");
assert.equal(charged.errorCode, "000");
assert.equal(charged.amount, "50000.00");
console.log("golomt-js: charged", charged.transactionId);

await assert.rejects(client.createInvoice(order), (error) => error.statusCode === 400 && /duplicated/.test(error.message));
await assert.rejects(client.inquiry("nobody"), (error) => error.message === "Payment not found.");
const stranger = new GolomtClient({ ...client.config, bearerToken: "wrong" });
await assert.rejects(stranger.inquiry("order-12345"), (error) => error.statusCode === 403);
const wrongKey = new GolomtClient({ ...client.config, secret: "wrong" });
await assert.rejects(wrongKey.inquiry("order-12345"), /checksum does not match/);

const payments = await (await fetch(`${ready.control}/api/golomt-ecommerce/payments`)).json();
assert.deepEqual(payments.map((payment) => [payment.transactionId, payment.state, payment.debits]), [
  ["order-12345", "paid", 1],
  ["order-67890", "paid", 1],
]);
console.log("golomt-js: done");
