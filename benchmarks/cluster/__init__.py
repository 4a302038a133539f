"""The claims of benchmarks/backup.py about the whole cluster, one file each.

`base` and `base restore` (base.py), the service beside a backup (beside.py), everything lost (lost.py).
"""
