// @mongolian-payment/socialpay (npm), as its README shows it: invoices by phone and QR, check, cancel, refund, settlement.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SocialPayClient } from "@mongolian-payment/socialpay";

const ready = JSON.parse(readFileSync(process.argv[2], "utf8"));
const bank = ready.providers["golomt-instore"];
const config = {
  terminal: bank.credentials.terminal,
  secret: bank.credentials.secret,
  endpoint: bank.base_url,
};
const client = new SocialPayClient(config);
const control = `${ready.control}/api/golomt-instore`;
const act = async (invoice, action) => {
  const done = await fetch(`${control}/payments/${invoice}/${action}`, { method: "POST", body: "{}" });
  assert.equal(done.status, 200, await done.text());
};

const sent = await client.invoicePhone(1000, "JS-PHONE", "99001122");
assert.equal(sent.status, "SUCCESS");
assert.match(sent.description, /success/);
assert.notEqual((await client.checkTransaction(1000, "JS-PHONE")).responseCode, "00");

// The customer opens the code on the page that plays the phone, and pays.
const code = await client.invoiceQr(1100.5, "JS-QR");
assert.match(code.description, /^000201010212/);
const scanned = await fetch(`${bank.base_url}/-/phone/scan`, {
  method: "POST",
  redirect: "manual",
  body: new URLSearchParams({ code: code.description }),
});
assert.equal(scanned.status, 303);
const invoice = new URL(scanned.headers.get("location"), bank.base_url);
assert.equal((await fetch(invoice, { method: "POST", body: new URLSearchParams({ action: "pay" }) })).status, 200);
const paid = await client.checkTransaction(1100.5, "JS-QR");
assert.equal(paid.responseCode, "00");
assert.equal(paid.responseDescription, "Амжилттай");
assert.equal(paid.amount, 1100.5);
assert.match(paid.approvalCode, /^\d{6}$/);
console.log("socialpay-js: paid", paid.cardNumber);

assert.equal((await client.cancelInvoice(1000, "JS-PHONE")).status, "SUCCESS");
assert.equal((await client.cancelInvoice(1100.5, "JS-QR")).status, "FAILED");
assert.equal((await client.cancelTransaction(1100.5, "JS-QR")).responseCode, "00");
assert.notEqual((await client.cancelTransaction(1100.5, "JS-QR")).responseCode, "00");

await client.invoicePhone(1000000, "JS-MILLION", "99001122");
await act("JS-MILLION", "pay");
const settled = await client.transactionSettlement("JS-SETTLE");
assert.deepEqual([settled.amount, settled.count, settled.status], [1000000, 1, "SUCCESS"]);
console.log("socialpay-js: settled", settled.amount);

await assert.rejects(client.invoiceQr(1000, "JS-PHONE"), /error.duplicate.invoice/);
await assert.rejects(client.checkTransaction(5, "JS-NONE"), /error.notfound.invoice/);
const wrongKey = new SocialPayClient({ ...config, secret: "wrong" });
await assert.rejects(wrongKey.checkTransaction(1000, "JS-PHONE"), (error) =>
  error.statusCode === 400 && /error.invalid.checksum/.test(error.message));

const payments = await (await fetch(`${control}/payments`)).json();
const own = payments.filter((payment) => payment.invoice.startsWith("JS-"));
assert.deepEqual(own.map((payment) => [payment.invoice, payment.state, payment.debits, payment.refunds]), [
  ["JS-PHONE", "canceled", 0, 0],
  ["JS-QR", "paid", 1, 1],
  ["JS-MILLION", "paid", 1, 0],
]);
console.log("socialpay-js: done");
