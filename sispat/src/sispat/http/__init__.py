"""A request from its first byte to its answer: whose session, which form, once only, how errors look."""
