"""Termos: the signed papers of custody, transfers, loans and write-offs."""
