-- One row a tenant, which whoever takes a lease writes first: of several that ask at once each sees what the one before it took.
CREATE TABLE lease_turns (
    tenant TEXT NOT NULL PRIMARY KEY,
    turn BIGINT NOT NULL
);
