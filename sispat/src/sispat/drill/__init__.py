"""`sispat drill`: SISPAT broken in many ways under load, on this machine, in a place of its own.

- `service.py`: the real `sispat serve` as a child, and whose process is whose.
- `front.py`: a proxy with TLS before it, whose certificate can expire.
- `load.py`: who uses it meanwhile, and what was acknowledged to them.
- `faults/`: each way to break it, by what is broken.
- `rates.toml`: how often each happens in a year, with its source; `lived.py`: what this machine lived of it.
- `command.py`: the command; `reports.py`: what it shows and writes.
- `leftovers.py`: what a drill that was killed left, and where that of this one lies.

It never touches a service that runs already: data, port, backups and processes are its own, and end with it.
"""
