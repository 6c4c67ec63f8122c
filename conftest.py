"""Keeps `pytest .` to the suites and the tests.

The suites may be run from any other folder, so nothing here may ask for pytest's root folder: `pytest_plugins` does,
and therefore stands in tests/conftest.py.
"""

collect_ignore = ["benchmarks", "build", "fixtures", "training"]
