"""Photos and documents attached to records."""
