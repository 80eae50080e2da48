"use strict";
const clock = document.getElementById("clock");
if (clock) {
  const end = Date.now() + 1000 * Number(clock.dataset.seconds);
  setInterval(() => {
    const left = Math.max(0, Math.round((end - Date.now()) / 1000));
    clock.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
  }, 500);
}
const back = document.querySelector("form[data-submit]");
if (back) back.submit();
// In a modal the page around this frame learns how it ended.
const result = document.getElementById("result");
if (result && result.dataset.transaction && window.parent !== window) {
  const message = {
    type: "galaxy-pay-result",
    transactionID: result.dataset.transaction,
    transactionStatus: result.dataset.status,
  };
  // Whose page it is cannot be known here. The message holds nothing that this page does not show.
  window.parent.postMessage(message, "*");
}
