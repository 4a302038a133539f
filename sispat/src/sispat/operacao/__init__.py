"""How the service itself is: for whoever keeps it running."""
