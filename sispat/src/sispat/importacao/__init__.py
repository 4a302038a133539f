"""Assets out of a spreadsheet: checked row by row first, then all or none, and taken back as a whole."""
