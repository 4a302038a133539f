"""SQL, written as SQL: one file per aggregate. Invariants live in the database as constraints."""
