-- The same tables as in SQLite, see there; what differs is said here.
-- Keys compare by their bytes (COLLATE "C"): pages of a list must not depend on the server's language.

CREATE TABLE tulbur_orders (
    order_ref  TEXT COLLATE "C" PRIMARY KEY,
    version    BIGINT NOT NULL,
    format     BIGINT NOT NULL DEFAULT 1,
    paid_by    TEXT,
    created_at BIGINT NOT NULL,
    body       TEXT NOT NULL
);
CREATE INDEX tulbur_orders_newest ON tulbur_orders (created_at DESC, order_ref DESC);

CREATE TABLE tulbur_payments (
    id           TEXT COLLATE "C" PRIMARY KEY,
    version      BIGINT NOT NULL,
    format       BIGINT NOT NULL DEFAULT 1,
    order_ref    TEXT COLLATE "C" REFERENCES tulbur_orders (order_ref),
    account      TEXT COLLATE "C" NOT NULL,
    merchant_ref TEXT COLLATE "C" NOT NULL,
    provider_ref TEXT COLLATE "C",
    secret_hash  TEXT COLLATE "C" NOT NULL UNIQUE,
    status       TEXT NOT NULL,
    operation    TEXT NOT NULL,
    ask_at       BIGINT,
    lease_until  BIGINT,
    owner        TEXT,
    unread_since BIGINT,
    created_at   BIGINT NOT NULL,
    paid_at      BIGINT,
    body         TEXT NOT NULL,
    UNIQUE (account, merchant_ref)
);
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

CREATE TABLE tulbur_leases (
    payment TEXT COLLATE "C" PRIMARY KEY,
    ask_at  BIGINT NOT NULL,
    until   BIGINT NOT NULL
);
CREATE INDEX tulbur_leases_until ON tulbur_leases (until);
-- Whoever takes payments holds this row meanwhile; others skip it and come again.
CREATE TABLE tulbur_turns (name TEXT COLLATE "C" PRIMARY KEY);
INSERT INTO tulbur_turns (name) VALUES ('payments');

CREATE TABLE tulbur_operations (
    operation_ref TEXT COLLATE "C" PRIMARY KEY,
    version       BIGINT NOT NULL,
    format        BIGINT NOT NULL DEFAULT 1,
    payment       TEXT COLLATE "C" NOT NULL REFERENCES tulbur_payments (id),
    state         TEXT NOT NULL,
    lease_until   BIGINT,
    write_ends    BIGINT,
    owner         TEXT,
    unread_since  BIGINT,
    created_at    BIGINT NOT NULL,
    body          TEXT NOT NULL,
    -- It is looked for as text: a string in the record may hold \u0000, which PostgreSQL's own JSON functions refuse, and
    -- within a string a quote never stands without a backslash.
    kind          TEXT GENERATED ALWAYS AS (substring(body FROM '"kind":"([a-z]+)"')) STORED
);
CREATE INDEX tulbur_operations_of_payment ON tulbur_operations (payment, created_at);
CREATE INDEX tulbur_operations_unknown ON tulbur_operations (state, kind) WHERE state = 'unknown';
CREATE INDEX tulbur_operations_due ON tulbur_operations (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE tulbur_keys (
    key     TEXT COLLATE "C" PRIMARY KEY,
    content TEXT NOT NULL,
    subject TEXT NOT NULL,
    at      BIGINT NOT NULL
);
-- Keys of writes of which nothing was sent are freed by what they name.
CREATE INDEX tulbur_keys_of_subject ON tulbur_keys (subject);

CREATE TABLE tulbur_cards (
    id           TEXT COLLATE "C" PRIMARY KEY,
    customer     TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    body         TEXT NOT NULL,
    sealed_token TEXT NOT NULL
);
CREATE INDEX tulbur_cards_of_customer ON tulbur_cards (customer, created_at DESC);

CREATE TABLE tulbur_events (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        TEXT COLLATE "C" NOT NULL UNIQUE,
    stream    TEXT COLLATE "C" NOT NULL,
    order_ref TEXT COLLATE "C",
    kind      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    format    BIGINT NOT NULL,
    body      TEXT NOT NULL
);
-- The promise of one paid event per order, kept by the database too.
CREATE UNIQUE INDEX tulbur_events_paid_once ON tulbur_events (order_ref) WHERE kind = 'paid';
CREATE INDEX tulbur_events_of_order ON tulbur_events (order_ref, seq);
CREATE INDEX tulbur_events_of_stream ON tulbur_events (stream, seq) WHERE order_ref IS NULL;

CREATE TABLE tulbur_handlers (
    name          TEXT COLLATE "C" PRIMARY KEY,
    in_order      BIGINT NOT NULL,
    registered_at BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL
);
INSERT INTO tulbur_handlers (name, in_order, registered_at, seen_at) VALUES ('', 0, 0, 0);

-- Each row is written a few times and then deleted: what is dead is cleared away soon, or looking for work would read it.
CREATE TABLE tulbur_deliveries (
    handler   TEXT COLLATE "C" NOT NULL,
    seq       BIGINT NOT NULL,
    stream    TEXT COLLATE "C",
    due_at    BIGINT,
    owner     TEXT COLLATE "C",
    attempts  BIGINT NOT NULL DEFAULT 0,
    first_at  BIGINT,
    aside_at  BIGINT,
    parked_at BIGINT,
    PRIMARY KEY (handler, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX tulbur_deliveries_due ON tulbur_deliveries (handler, due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX tulbur_deliveries_stream ON tulbur_deliveries (handler, stream, seq) WHERE stream IS NOT NULL;
CREATE INDEX tulbur_deliveries_parked ON tulbur_deliveries (seq, handler) WHERE parked_at IS NOT NULL;

CREATE TABLE tulbur_handled (
    seq     BIGINT NOT NULL,
    handler TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (seq, handler)
);

CREATE TABLE tulbur_history (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_ref TEXT COLLATE "C",
    payment   TEXT COLLATE "C" NOT NULL,
    at        BIGINT NOT NULL,
    body      TEXT NOT NULL
);
CREATE INDEX tulbur_history_of_order ON tulbur_history (order_ref, seq);
CREATE INDEX tulbur_history_of_payment ON tulbur_history (payment, seq);
CREATE FUNCTION tulbur_history_is_kept() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'history is append-only'; END $$;
CREATE TRIGGER tulbur_history_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON tulbur_history
    FOR EACH STATEMENT EXECUTE FUNCTION tulbur_history_is_kept();

CREATE TABLE tulbur_attention (
    key         TEXT COLLATE "C" PRIMARY KEY,
    at          BIGINT NOT NULL,
    body        TEXT NOT NULL,
    resolved_at BIGINT
);
CREATE INDEX tulbur_attention_open ON tulbur_attention (at, key) WHERE resolved_at IS NULL;

CREATE TABLE tulbur_inbox (
    id         TEXT COLLATE "C" PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL,
    channel    TEXT NOT NULL,
    at         BIGINT NOT NULL,
    repeat_key TEXT COLLATE "C" NOT NULL,
    meaning    TEXT COLLATE "C" NOT NULL,
    verdict    TEXT NOT NULL,
    note       TEXT NOT NULL,
    payment    TEXT,
    sealed     TEXT NOT NULL,
    times      BIGINT NOT NULL DEFAULT 1,
    -- A notification can come before the answer that names its payment: it waits, and is due until it is known what it is
    -- about.
    provider_ref TEXT COLLATE "C",
    due_at     BIGINT,
    UNIQUE (account, repeat_key, meaning)
);
CREATE INDEX tulbur_inbox_newest ON tulbur_inbox (at DESC, id DESC);
CREATE INDEX tulbur_inbox_refused ON tulbur_inbox (account, at, id) WHERE verdict = 'refused';
CREATE INDEX tulbur_inbox_due ON tulbur_inbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX tulbur_inbox_waiting ON tulbur_inbox (account, provider_ref) WHERE due_at IS NOT NULL;
