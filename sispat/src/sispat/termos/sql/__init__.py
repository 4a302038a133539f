"""The SQL of termos: what they are made of, and their own rows."""
