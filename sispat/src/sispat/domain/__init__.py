"""The asset domain: entities, transitions, numbering, permissions. Pure: no I/O, no framework, no driver."""
