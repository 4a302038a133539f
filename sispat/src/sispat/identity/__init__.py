"""Who somebody is: passwords, sessions, CSRF."""
