-- What a witness has: its key, and of each log the largest checkpoint that it cosigned.
CREATE TABLE witness_key (
    id $integer$ NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    seed_sealed $bytes$ NOT NULL
) $strict$;

CREATE TABLE witness_log (
    origin TEXT NOT NULL PRIMARY KEY,
    size $integer$ NOT NULL,
    root $bytes$ NOT NULL,
    note TEXT NOT NULL
) $strict$;
