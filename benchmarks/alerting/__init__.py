"""What benchmarks/alert.py measures, a file for each claim."""
