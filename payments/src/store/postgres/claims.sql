CREATE TABLE IF NOT EXISTS tulbur_claims (
    handler  TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (handler, event_id)
)
