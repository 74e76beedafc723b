-- What is remembered of reading API systems: when each extract was last read to the end, and whom lookups asked for.

CREATE TABLE raw.readings (
    connection text NOT NULL,
    extract text NOT NULL,
    pass text NOT NULL,
    tried_at timestamptz NOT NULL,
    read_at timestamptz,
    error text,
    finding text,
    PRIMARY KEY (connection, extract, pass)
);
COMMENT ON TABLE raw.readings IS 'The last time that each extract of a connection was read, pass by pass.';
COMMENT ON COLUMN raw.readings.read_at IS 'When the last reading that came to its end began.';
COMMENT ON COLUMN raw.readings.error IS 'Why the last reading ended early; null when it came to its end.';
COMMENT ON COLUMN raw.readings.finding IS 'What somebody should look at: a sweep that would have closed too much.';

CREATE TABLE raw.lookups (
    connection text NOT NULL,
    extract text NOT NULL,
    source_id text NOT NULL,
    asked_at timestamptz NOT NULL,
    is_found boolean NOT NULL,
    PRIMARY KEY (connection, extract, source_id)
);
COMMENT ON TABLE raw.lookups IS 'Objects that were asked for by their id, so that none is asked for again and again that the vendor does not have.';
