"""People, sessions and blocks in the database."""
