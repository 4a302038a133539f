"""The yearly count: what is expected is frozen, read by phone, each divergence decided, closed for good."""
