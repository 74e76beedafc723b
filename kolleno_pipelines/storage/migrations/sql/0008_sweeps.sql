-- How far a sweep came that the vendor stopped (a day limit): the next one goes on there.

CREATE TABLE raw.sweeps (
    connection text NOT NULL,
    extract text NOT NULL,
    began_at timestamptz NOT NULL,
    reached timestamptz,
    is_of_everything boolean NOT NULL,
    PRIMARY KEY (connection, extract)
);
COMMENT ON TABLE raw.sweeps IS 'Sweeps that were stopped and go on: one row per extract, gone when the sweep has ended.';
COMMENT ON COLUMN raw.sweeps.reached IS 'Up to which modified time the sweep has read, by rising modified time.';

CREATE TABLE raw.swept_objects (
    connection text NOT NULL,
    extract text NOT NULL,
    source_id text NOT NULL,
    is_there boolean NOT NULL,
    PRIMARY KEY (connection, extract, source_id),
    FOREIGN KEY (connection, extract) REFERENCES raw.sweeps ON DELETE CASCADE
);
COMMENT ON TABLE raw.swept_objects IS 'What a stopped sweep saw: objects that are there, and those that were asked for by their id in vain.';
