-- Operations on payments, the caller's keys, and when a payment was paid.

ALTER TABLE tulbur_payments ADD COLUMN paid_at INTEGER;
CREATE INDEX tulbur_payments_newest ON tulbur_payments (created_at DESC, id DESC);
CREATE INDEX tulbur_payments_paid ON tulbur_payments (account, paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX tulbur_payments_open ON tulbur_payments (created_at) WHERE status IN ('pending', 'authorized');

CREATE TABLE tulbur_operations (
    operation_ref TEXT PRIMARY KEY NOT NULL,
    version       INTEGER NOT NULL,
    payment       TEXT NOT NULL REFERENCES tulbur_payments (id),
    state         TEXT NOT NULL,
    lease_until   INTEGER,
    created_at    INTEGER NOT NULL,
    body          TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_operations_of_payment ON tulbur_operations (payment, created_at);
CREATE INDEX tulbur_operations_due ON tulbur_operations (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE tulbur_keys (
    key     TEXT PRIMARY KEY NOT NULL,
    content TEXT NOT NULL,
    subject TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tulbur_events_parked ON tulbur_events (seq) WHERE state = 'parked';
