-- What the numbers of a whole store are read from: nothing but indexes, of what is open only.

DROP INDEX tulbur_payments_open;
CREATE INDEX tulbur_payments_open ON tulbur_payments (created_at, status, operation)
    WHERE status IN ('pending', 'authorized');
CREATE INDEX tulbur_operations_unknown ON tulbur_operations (state) WHERE state = 'unknown';
CREATE INDEX tulbur_attention_open ON tulbur_attention (at, key) WHERE resolved_at IS NULL;
