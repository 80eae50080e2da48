-- What an operation does can be counted without reading it, from an index. The column is read out of the record, so a
-- process of an older release that still writes here writes it too. It is looked for as text: a string in the record may
-- hold \u0000, which PostgreSQL's own JSON functions refuse, and within a string a quote never stands without a backslash.
ALTER TABLE tulbur_operations
    ADD COLUMN kind TEXT GENERATED ALWAYS AS (substring(body FROM '"kind":"([a-z]+)"')) STORED;
DROP INDEX tulbur_operations_unknown;
CREATE INDEX tulbur_operations_unknown ON tulbur_operations (state, kind) WHERE state = 'unknown';
