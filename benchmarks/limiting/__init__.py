"""The claims of benchmarks/limit.py, one file each.

A file has `PEERS`, the packages it measures beside ours, and `async def measure(rounds) -> list[Claim]`.
"""
