"""What pages and API share of HTTP: who asks, once-only writes, answers, and how errors look."""
