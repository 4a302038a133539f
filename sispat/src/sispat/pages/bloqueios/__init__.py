"""Who may not try to sign in for now, and letting them in."""
