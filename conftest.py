"""The fixtures with real servers, for the tests of both distributions."""

pytest_plugins = ["esteio.testing.pytest_plugin"]
