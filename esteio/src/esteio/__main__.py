"""`python -m esteio` is `esteio`."""

from esteio.cli import main

main()
