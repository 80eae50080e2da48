// Keeps an open payment page true without a reload: the server says when something changed, the page fetches
// itself and takes over what is new. Without this script the page reloads by itself and shows the same.
// It also opens the provider's own modal, where the page offers one.
"use strict";
(() => {
  const SLOW = 30000;
  const announce = document.getElementById("announce");
  let source = null;
  const own = new Set(document.body.children);
  let fetching = false;
  let again = false;
  let deadline = null;

  const main = () => document.querySelector("main");

  async function refresh() {
    if (!main().dataset.events) return;
    again = fetching;
    if (fetching) return;
    fetching = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const old = main();
      const fresh = page.querySelector("main");
      if (!fresh || fresh.dataset.state === old.dataset.state) return;
      if (fresh.querySelector("[data-function]") && !old.querySelector("[data-function]")) {
        // Its script and the policy that lets it run come only with the page itself.
        location.reload();
        return;
      }
      const focused = old.contains(document.activeElement);
      old.replaceWith(document.adoptNode(fresh));
      // What a modal has put beside the page goes with it.
      for (const element of [...document.body.children]) if (!own.has(element)) element.remove();
      document.title = page.title;
      const headline = fresh.querySelector("h1");
      announce.textContent = headline.textContent;
      if (focused) headline.focus();
      begin();
    } catch {
      // No connection just now; the next sign of life tries again.
    } finally {
      fetching = false;
      if (again) refresh();
    }
  }

  // What the modal reports proves nothing: it is a reason to look. How the payment stands is what the server says.
  function openModal(event) {
    const way = event.target.closest("[data-function]");
    const open = way && window[way.dataset.function];
    // Without the provider's script, a link leads to the same place.
    if (typeof open !== "function") return;
    event.preventDefault();
    const result = () => {
      if (!way.isConnected) return;
      history.replaceState(null, "", way.dataset.result);
      refresh();
    };
    const close = () => {
      way.focus();
      refresh();
    };
    try {
      open(way.dataset.value, result, close, { language: document.documentElement.lang });
    } catch (error) {
      console.error("the provider's modal failed:", error);
      if (way.href) location.assign(way.href);
    }
  }

  function listen() {
    const address = main().dataset.events;
    if (source && (!address || source.readyState === EventSource.CLOSED)) {
      source.close();
      source = null;
    }
    if (!address || source) return;
    source = new EventSource(address);
    source.addEventListener("status", refresh);
  }

  function begin() {
    const clock = main().querySelector("[data-seconds]");
    deadline = clock ? Date.now() + Number(clock.dataset.seconds) * 1000 : null;
    listen();
  }

  function tick() {
    if (deadline === null) return;
    const left = Math.max(0, Math.ceil((deadline - Date.now()) / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(left / 3600);
    const minutes = Math.floor(left / 60) % 60;
    const text = hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
    const clock = main().querySelector("[data-seconds]");
    if (clock && clock.textContent !== text) clock.textContent = text;
    if (left === 0) {
      deadline = null;
      refresh();
    }
  }

  document.addEventListener("click", openModal);
  // A modal that is no page can be opened only once its script is there.
  window.addEventListener("load", () => {
    for (const way of document.querySelectorAll("button[data-function]")) {
      way.disabled = typeof window[way.dataset.function] !== "function";
    }
  });
  // A second click must not send the form again.
  document.addEventListener("submit", (event) => {
    for (const button of event.target.querySelectorAll("button")) button.disabled = true;
  });
  // Phones stop what is in the background, and the payer comes back from the bank's app.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      refresh();
      listen();
    }
  });
  // A page that the browser took from its own memory is old.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const button of document.querySelectorAll("form button")) button.disabled = false;
    refresh();
    listen();
  });
  // Something between may swallow the events; then the page still gets there, slowly.
  setInterval(() => {
    refresh();
    listen();
  }, SLOW);
  setInterval(tick, 500);
  begin();
})();
