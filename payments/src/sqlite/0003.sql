-- 1 once only handlers that keep no order are left: such an event holds up no later event of its order.
ALTER TABLE tulbur_events ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
