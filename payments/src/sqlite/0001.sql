-- What is looked for has a column; the whole record is JSON in `body`. Where a column and the body say the same
-- thing, both are written by one statement; `ask_at` and `due_at` are moved by leases and are right in the column.

CREATE TABLE tulbur_orders (
    order_ref  TEXT PRIMARY KEY NOT NULL,
    version    INTEGER NOT NULL,
    paid_by    TEXT,
    created_at INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_orders_newest ON tulbur_orders (created_at DESC);

CREATE TABLE tulbur_payments (
    id           TEXT PRIMARY KEY NOT NULL,
    version      INTEGER NOT NULL,
    order_ref    TEXT REFERENCES tulbur_orders (order_ref),
    account      TEXT NOT NULL,
    merchant_ref TEXT NOT NULL,
    provider_ref TEXT,
    secret_hash  TEXT NOT NULL UNIQUE,
    status       TEXT NOT NULL,
    operation    TEXT NOT NULL,
    ask_at       INTEGER,
    created_at   INTEGER NOT NULL,
    body         TEXT NOT NULL,
    UNIQUE (account, merchant_ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_payments_of_order ON tulbur_payments (order_ref, created_at);
CREATE INDEX tulbur_payments_provider_ref ON tulbur_payments (account, provider_ref) WHERE provider_ref IS NOT NULL;
CREATE INDEX tulbur_payments_due ON tulbur_payments (ask_at) WHERE ask_at IS NOT NULL;

CREATE TABLE tulbur_cards (
    id           TEXT PRIMARY KEY NOT NULL,
    customer     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    body         TEXT NOT NULL,
    sealed_token TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_cards_of_customer ON tulbur_cards (customer, created_at DESC);

CREATE TABLE tulbur_events (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT NOT NULL UNIQUE,
    stream    TEXT NOT NULL,
    order_ref TEXT,
    kind      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    body      TEXT NOT NULL,
    state     TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'parked')),
    due_at    INTEGER NOT NULL,
    attempts  INTEGER NOT NULL DEFAULT 0
) STRICT;
-- The promise of one paid event per order, kept by the database too.
CREATE UNIQUE INDEX tulbur_events_paid_once ON tulbur_events (order_ref) WHERE kind = 'paid';
CREATE INDEX tulbur_events_due ON tulbur_events (due_at) WHERE state = 'pending';
CREATE INDEX tulbur_events_stream ON tulbur_events (stream, seq) WHERE state = 'pending';
CREATE INDEX tulbur_events_of_order ON tulbur_events (order_ref, seq);

CREATE TABLE tulbur_event_handlers (
    event_id TEXT NOT NULL REFERENCES tulbur_events (id),
    handler  TEXT NOT NULL,
    PRIMARY KEY (event_id, handler)
) STRICT, WITHOUT ROWID;

CREATE TABLE tulbur_history (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    order_ref TEXT,
    payment   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    body      TEXT NOT NULL
) STRICT;
CREATE INDEX tulbur_history_of_order ON tulbur_history (order_ref, seq);
CREATE INDEX tulbur_history_of_payment ON tulbur_history (payment, seq);
CREATE TRIGGER tulbur_history_is_kept BEFORE UPDATE ON tulbur_history
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER tulbur_history_is_not_cut BEFORE DELETE ON tulbur_history
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

CREATE TABLE tulbur_attention (
    key         TEXT PRIMARY KEY NOT NULL,
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL,
    resolved_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE tulbur_inbox (
    id         TEXT PRIMARY KEY NOT NULL,
    account    TEXT NOT NULL,
    channel    TEXT NOT NULL,
    at         INTEGER NOT NULL,
    repeat_key TEXT NOT NULL,
    meaning    TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    note       TEXT NOT NULL,
    payment    TEXT,
    sealed     TEXT NOT NULL,
    times      INTEGER NOT NULL DEFAULT 1,
    UNIQUE (account, repeat_key, meaning)
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_inbox_newest ON tulbur_inbox (at DESC);
CREATE INDEX tulbur_inbox_refused ON tulbur_inbox (account, at) WHERE verdict = 'refused';
