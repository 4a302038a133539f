"""Assets: found, registered, corrected, handed over, exported."""
