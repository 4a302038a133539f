"""A process that measures until it is killed, for tests: it says how many it has counted after each hundred."""

import sys

from esteio.health import Measurements
from esteio.health._samples import pack
from esteio.health.series import Family, Key

measurements = Measurements(sys.argv[1])
at = measurements.slot.add(Key("http", "GET", "2xx", "/items/{id}"))
measurements.slot.write_page(pack([Family("esteio_x", "counter", "", {("esteio_x_total", ()): 1.0})]))
count = 0
while True:
    measurements.slot.record(at, 0.004)
    count += 1
    if count % 100 == 0:
        print(count, flush=True)
        sys.stdin.readline()  # whoever kills us knows what we have counted
