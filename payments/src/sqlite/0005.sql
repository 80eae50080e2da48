-- Who asks about a payment now. A lease is good for as long as the payment is due at the very time at which it was taken:
-- taking writes nothing into the payments, and what changes a payment need not know of leases.

CREATE TABLE tulbur_leases (
    payment TEXT PRIMARY KEY NOT NULL,
    ask_at  INTEGER NOT NULL,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tulbur_leases_until ON tulbur_leases (until);
