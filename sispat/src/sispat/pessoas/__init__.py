"""People who use the service: signing in and out, what keeps them from it, their accounts."""
