"""What happens to assets between their purchase and their end: transfers, loans, maintenance, write-offs."""
