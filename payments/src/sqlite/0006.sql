-- What an operation does can be counted without reading it, from an index. The column is read out of the record, so a
-- process of an older release that still writes here writes it too.
ALTER TABLE tulbur_operations ADD COLUMN kind TEXT GENERATED ALWAYS AS (body ->> '$.kind') VIRTUAL;
DROP INDEX tulbur_operations_unknown;
CREATE INDEX tulbur_operations_unknown ON tulbur_operations (state, kind) WHERE state = 'unknown';

-- What was paid before there was `paid_at` has none, and no list of a day would find it. The event says when, or the line of
-- history that every change has. The record says it too, and counts this as a change: a commit that was decided on the
-- record without it is decided anew.
UPDATE tulbur_payments AS this
    SET paid_at = paid.at, body = json_set(this.body, '$.paid_at', paid.at), version = this.version + 1
    FROM (
        SELECT id, coalesce(
            body ->> '$.paid_at',
            (SELECT min(event.at) FROM tulbur_events AS event WHERE event.order_ref = payment.order_ref
                AND event.kind IN ('paid', 'paid-again') AND event.body ->> '$.payment' = payment.id),
            (SELECT min(line.at) FROM tulbur_history AS line WHERE line.payment = payment.id
                AND line.body ->> '$.change[1]' = 'paid')
        ) AS at
        FROM tulbur_payments AS payment WHERE status = 'paid' AND paid_at IS NULL
    ) AS paid
    WHERE this.id = paid.id AND paid.at IS NOT NULL;
