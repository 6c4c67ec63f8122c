import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without -m, what is marked slow is left out: a whole run stays within seconds."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow") and "tests/models" in item.nodeid]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
