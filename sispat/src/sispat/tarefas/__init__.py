"""Jobs as people see them: what waits, how far it is, why it failed; and cancelling it."""
