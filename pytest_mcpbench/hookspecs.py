"""Hooks with which a project's conftest.py extends the benchmark."""

import pytest

from pytest_mcpbench.core.formats import Format


@pytest.hookspec
def pytest_mcpbench_formats() -> list[Format]:  # type: ignore[empty-body]
    """Wire formats of your own; each becomes a value of `--mcp-format` under its name."""
