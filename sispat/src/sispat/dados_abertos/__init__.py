"""What the city publishes of its assets as open data, without an account: files, and what each of their columns means."""
