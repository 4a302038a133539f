"""Use cases of movements, a module for each kind; what is the same for all is in `away` and `assets`."""
