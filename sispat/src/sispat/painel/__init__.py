"""The first page: where things stand, and the way to what a person does most."""
