import jsonschema  # noqa: F401 (a run inside a test forgets what it imported, and rpds cannot be imported twice)
import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option for whoever changes a screen on purpose."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files anew, then read them in the diff"
    )
