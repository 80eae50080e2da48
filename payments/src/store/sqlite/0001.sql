-- What is looked for has a column; the whole record is JSON in `body`. Where a column and the body say the same
-- thing, both are written by one statement; due times and leases are moved without the body, and are right in the column.
-- `format` is the form in which the body is written: a release does not read a newer one than it knows. `unread_since` says
-- since when a record that is due could not be read.

CREATE TABLE tulbur_orders (
    order_ref  TEXT PRIMARY KEY NOT NULL,
    version    INTEGER NOT NULL,
    format     INTEGER NOT NULL DEFAULT 1,
    paid_by    TEXT,
    created_at INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_orders_newest ON tulbur_orders (created_at DESC);

CREATE TABLE tulbur_payments (
    id           TEXT PRIMARY KEY NOT NULL,
    version      INTEGER NOT NULL,
    format       INTEGER NOT NULL DEFAULT 1,
    order_ref    TEXT REFERENCES tulbur_orders (order_ref),
    account      TEXT NOT NULL,
    merchant_ref TEXT NOT NULL,
    provider_ref TEXT,
    secret_hash  TEXT NOT NULL UNIQUE,
    status       TEXT NOT NULL,
    operation    TEXT NOT NULL,
    ask_at       INTEGER,
    lease_until  INTEGER,
    owner        TEXT,
    unread_since INTEGER,
    created_at   INTEGER NOT NULL,
    paid_at      INTEGER,
    body         TEXT NOT NULL,
    UNIQUE (account, merchant_ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_payments_of_order ON tulbur_payments (order_ref, created_at);
CREATE UNIQUE INDEX tulbur_payments_provider_ref ON tulbur_payments (account, provider_ref) WHERE provider_ref IS NOT NULL;
-- What is due is found in the index alone.
CREATE INDEX tulbur_payments_due ON tulbur_payments (ask_at, id) WHERE ask_at IS NOT NULL;
CREATE INDEX tulbur_payments_leased ON tulbur_payments (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX tulbur_payments_newest ON tulbur_payments (created_at DESC, id DESC);
CREATE INDEX tulbur_payments_paid ON tulbur_payments (account, paid_at) WHERE paid_at IS NOT NULL;
-- What the numbers of a whole store are read from: nothing but indexes, of what is open only.
CREATE INDEX tulbur_payments_open ON tulbur_payments (created_at, status, operation)
    WHERE status IN ('pending', 'authorized');

-- Who asks about a payment now. A lease is good for as long as the payment is due at the very time at which it was taken:
-- taking writes nothing into the payments, and what changes a payment need not know of leases.
CREATE TABLE tulbur_leases (
    payment TEXT PRIMARY KEY NOT NULL,
    ask_at  INTEGER NOT NULL,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_leases_until ON tulbur_leases (until);

CREATE TABLE tulbur_operations (
    operation_ref TEXT PRIMARY KEY NOT NULL,
    version       INTEGER NOT NULL,
    format        INTEGER NOT NULL DEFAULT 1,
    payment       TEXT NOT NULL REFERENCES tulbur_payments (id),
    state         TEXT NOT NULL,
    lease_until   INTEGER,
    write_ends    INTEGER,
    owner         TEXT,
    unread_since  INTEGER,
    created_at    INTEGER NOT NULL,
    body          TEXT NOT NULL,
    -- What an operation does can be counted without reading it, from an index.
    kind          TEXT GENERATED ALWAYS AS (body ->> '$.kind') VIRTUAL
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_operations_of_payment ON tulbur_operations (payment, created_at);
CREATE INDEX tulbur_operations_due ON tulbur_operations (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX tulbur_operations_unknown ON tulbur_operations (state, kind) WHERE state = 'unknown';

CREATE TABLE tulbur_keys (
    key     TEXT PRIMARY KEY NOT NULL,
    content TEXT NOT NULL,
    subject TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Keys of writes of which nothing was sent are freed by what they name.
CREATE INDEX tulbur_keys_of_subject ON tulbur_keys (subject);

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
    -- In which form the body is written: a release does not read a newer one than it knows.
    format    INTEGER NOT NULL,
    body      TEXT NOT NULL
) STRICT;
-- The promise of one paid event per order, kept by the database too.
CREATE UNIQUE INDEX tulbur_events_paid_once ON tulbur_events (order_ref) WHERE kind = 'paid';
CREATE INDEX tulbur_events_of_order ON tulbur_events (order_ref, seq);
CREATE INDEX tulbur_events_of_stream ON tulbur_events (stream, seq) WHERE order_ref IS NULL;

-- Who is told of events. While nobody is registered, the nameless one keeps the place: the first who are registered get
-- what waits for it.
CREATE TABLE tulbur_handlers (
    name          TEXT PRIMARY KEY NOT NULL,
    in_order      INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    seen_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tulbur_handlers (name, in_order, registered_at, seen_at) VALUES ('', 0, 0, 0);

-- What each handler is still to be told; what is done is deleted. With a stream it has its place among the others of that
-- stream, and only the first of them has a time at which it is due. What is parked has neither stream nor time.
CREATE TABLE tulbur_deliveries (
    handler   TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    stream    TEXT,
    due_at    INTEGER,
    owner     TEXT,
    attempts  INTEGER NOT NULL DEFAULT 0,
    first_at  INTEGER,
    aside_at  INTEGER,
    parked_at INTEGER,
    PRIMARY KEY (handler, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_deliveries_due ON tulbur_deliveries (handler, due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX tulbur_deliveries_stream ON tulbur_deliveries (handler, stream, seq) WHERE stream IS NOT NULL;
CREATE INDEX tulbur_deliveries_parked ON tulbur_deliveries (seq, handler) WHERE parked_at IS NOT NULL;

-- Who handled what, and when.
CREATE TABLE tulbur_handled (
    seq     INTEGER NOT NULL,
    handler TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (seq, handler)
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
CREATE INDEX tulbur_attention_open ON tulbur_attention (at, key) WHERE resolved_at IS NULL;

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
    -- A notification can come before the answer that names its payment: it waits, and is due until it is known what it is
    -- about.
    provider_ref TEXT,
    due_at     INTEGER,
    UNIQUE (account, repeat_key, meaning)
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_inbox_newest ON tulbur_inbox (at DESC);
CREATE INDEX tulbur_inbox_refused ON tulbur_inbox (account, at, id) WHERE verdict = 'refused';
CREATE INDEX tulbur_inbox_due ON tulbur_inbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX tulbur_inbox_waiting ON tulbur_inbox (account, provider_ref) WHERE due_at IS NOT NULL;
