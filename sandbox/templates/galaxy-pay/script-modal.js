"use strict";
// The page around may be in any encoding, so this file is plain ASCII.
// The modal checkout, played by the sandbox: opens a checkout's endpoint in a frame over the merchant's page.
(() => {
  const CONTAINER = "galaxy-pay-sdk";
  const POPUP = "galaxy-pay-upc-popup";
  const CLOSE = { vi: "\u0110\u00f3ng", en: "Close" };

  window.galaxyPaySubmitPayment = (endpoint, onResult, onClose, options) => {
    const language = options && options.language === "en" ? "en" : "vi";
    const address = new URL(endpoint, document.baseURI);
    address.searchParams.set("lang", language);

    let container = document.getElementById(CONTAINER);
    if (!container) {
      container = document.createElement("div");
      container.id = CONTAINER;
      document.body.append(container);
    }
    const old = document.getElementById(POPUP);
    if (old) old.remove();

    const popup = document.createElement("div");
    popup.id = POPUP;
    popup.setAttribute("role", "dialog");
    popup.setAttribute("aria-modal", "true");
    Object.assign(popup.style, {
      position: "fixed", inset: "0", zIndex: "2147483647", background: "rgba(0, 0, 0, .55)",
      display: "flex", flexDirection: "column", alignItems: "center", justifyContent: "center",
    });
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = CLOSE[language] + " \u00d7";
    Object.assign(button.style, { margin: "0 0 .5rem", padding: ".4rem 1rem", font: "inherit" });
    const frame = document.createElement("iframe");
    frame.src = address.href;
    frame.title = "Galaxy Pay";
    Object.assign(frame.style, {
      width: "min(30rem, 96vw)", height: "min(48rem, 85vh)", border: "0", borderRadius: "10px", background: "#fff",
    });
    popup.append(button, frame);
    container.append(popup);

    const leave = () => {
      window.removeEventListener("message", listen);
      popup.remove();
    };
    const listen = (event) => {
      if (event.source !== frame.contentWindow || event.origin !== address.origin) return;
      const data = event.data;
      if (!data || data.type !== "galaxy-pay-result") return;
      leave();
      if (onResult) onResult({ transactionID: data.transactionID, transactionStatus: data.transactionStatus });
    };
    window.addEventListener("message", listen);
    button.addEventListener("click", () => {
      leave();
      if (onClose) onClose();
    });
  };
})();
