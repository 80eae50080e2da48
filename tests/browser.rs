//! A person's way through the shop, in a real browser.
//!
//! Shop and sandbox are processes of their own; the bank's books say what was paid. Each scenario has a browser with a
//! fresh profile, and ends with a search of every page of the shop for what must not be shown, and of the browser's
//! console for what did not work. Screenshots go to `browser` in the target folder.
//!
//! Without Chromium and chromedriver the tests say so and pass; with `TULBUR_REQUIRE_BROWSER=1` they fail.

#[path = "browser/attempts.rs"]
mod attempts;
#[path = "browser/circumstances.rs"]
mod circumstances;
#[path = "browser/counter.rs"]
mod counter;
#[path = "browser/galaxy.rs"]
mod galaxy;
#[path = "browser/instore.rs"]
mod instore;
#[path = "browser/terminal.rs"]
mod terminal;
#[path = "browser/ways.rs"]
mod ways;
#[path = "browser/world.rs"]
mod world;
