"""What people do in SISPAT, one file per verb group. Transactions and permissions live here; no HTTP does."""
