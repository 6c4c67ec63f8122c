"""A project that gives no `--mcp-*` option."""

import json
import subprocess
import sys

from tests.plugin.conftest import Bench

HEAVY = ("torch", "transformers", "onnxruntime", "onnx", "peft", "optimum", "trl", "datasets", "scipy", "numpy", "rich")
MOST_MODULES = 100
"""Of other packages and the standard library, that importing the plugin may add to those of pytest."""


def test_the_plugin_does_nothing_where_no_option_is_given(bench: Bench) -> None:
    bench.pytester.makepyfile(
        """
        import json, sys

        def test_mine(request):
            plugins = request.config.pluginmanager
            assert not plugins.has_plugin("mcpbench-recorder")
            assert not plugins.has_plugin("mcpbench-progress")
            with open("modules.json", "w") as file:
                json.dump(sorted(sys.modules), file)
        """
    )
    result = bench.plain(subprocess=True)
    assert result.ret == 0
    assert "mcpbench: " not in result.stdout.str()
    assert result.parseoutcomes() == {"passed": 1}
    assert not (bench.path / ".mcpbench").exists()
    modules = set(json.loads((bench.path / "modules.json").read_text()))
    assert [name for name in HEAVY if name in modules] == []


def test_the_plugin_costs_others_few_imports() -> None:
    code = (
        "import sys, pytest, _pytest.terminal, _pytest.cacheprovider, _pytest.junitxml; before = set(sys.modules); "
        "import pytest_mcpbench.plugin; print(*sorted(set(sys.modules) - before))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    foreign = [name for name in found if not name.startswith("pytest_mcpbench")]
    assert len(foreign) <= MOST_MODULES, foreign
    assert [name for name in foreign if name.partition(".")[0] in HEAVY] == []


def test_a_run_of_a_recorded_model_needs_no_heavy_package(bench: Bench) -> None:
    (bench.path / "conftest.py").write_text(
        """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "onnxruntime", "peft", "optimum", "onnx", "datasets"}:
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Refuse())
"""
    )
    result = bench.run(subprocess=True)
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 31, "missed": 10}
