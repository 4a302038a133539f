"""Reports in the database: their texts, how they are walked (`reports`), what jobs made of them (`files`)."""
