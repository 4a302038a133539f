"""The use cases of counts: open and move on, count, decide."""
