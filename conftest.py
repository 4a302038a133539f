"""The fixtures with real servers, for the tests of both distributions."""

import signal

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: tests that interrupt a
# program would wait in vain. A handler of ours is no such inheritance.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["esteio.testing.pytest_plugin"]
