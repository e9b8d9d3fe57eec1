-- The transparency log: entries in order, each with the hash of its leaf, and of the tree's nodes those that are over 256 of the level below.
CREATE TABLE log_entry (
    position $integer$ NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    at $integer$ NOT NULL,
    entry $bytes$ NOT NULL,
    hash $bytes$ NOT NULL
) $strict$;

CREATE INDEX log_entry_tenant ON log_entry (tenant, position);

CREATE TABLE log_node (
    level $integer$ NOT NULL,
    position $integer$ NOT NULL,
    hash $bytes$ NOT NULL,
    PRIMARY KEY (level, position)
) $strict$;

-- The largest checkpoint that each witness has cosigned, with its cosignature behind the log's signature.
CREATE TABLE log_witnessed (
    witness TEXT NOT NULL PRIMARY KEY,
    size $integer$ NOT NULL,
    signed_at $integer$ NOT NULL,
    note TEXT NOT NULL
) $strict$;

-- One row. Each append takes its lock first: so appends have one order, whatever number of processes there are.
CREATE TABLE log_state (
    id $integer$ NOT NULL PRIMARY KEY,
    turn $integer$ NOT NULL,
    size $integer$ NOT NULL,
    subtrees $bytes$ NOT NULL,
    checkpoint TEXT NOT NULL,
    key_sealed $bytes$ NOT NULL
) $strict$;
