-- Who asks about a payment now. A lease is good for as long as the payment is due at the very time at which it was taken:
-- taking writes nothing into the payments, and what changes a payment need not know of leases.

CREATE TABLE tulbur_leases (
    payment TEXT COLLATE "C" PRIMARY KEY,
    ask_at  BIGINT NOT NULL,
    until   BIGINT NOT NULL
);
CREATE INDEX tulbur_leases_until ON tulbur_leases (until);

-- Whoever takes payments holds this row meanwhile; others skip it and come again.
CREATE TABLE tulbur_turns (name TEXT COLLATE "C" PRIMARY KEY);
INSERT INTO tulbur_turns (name) VALUES ('payments');

-- What is due is found in the index alone.
DROP INDEX tulbur_payments_due;
CREATE INDEX tulbur_payments_due ON tulbur_payments (ask_at, id) WHERE ask_at IS NOT NULL;
