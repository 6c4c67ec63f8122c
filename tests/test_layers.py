"""The house rules that a machine can check: who may import whom, how long things are, and what the plugin loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "pytest_mcpbench"
TREES = (PACKAGE, "suites", "training")

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_PARAMETERS = 6
UNMEASURED_FILES = {"pytest_mcpbench/options.py"}  # the option table

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("core",),
    ("models",),
    ("html", "publish"),
    ("session", "since", "speed", "measurements", "run_setup"),
    ("startup", "options", "outcome", "hookspecs"),
    ("items", "fixture", "terminal", "timed", "recorder"),
    ("plugin",),
    ("training", "suites"),
    ("commands", "cli"),
)
"""From the ground up: a module may import its own layer and the ones below."""

CORE_MAY_IMPORT = {"schema": {"jsonschema", "referencing"}, "stats": {"scipy"}}

HEAVY = {"torch", "transformers", "onnxruntime", "peft", "optimum", "onnx", "trl", "datasets", "accelerate", "optuna"}
PYTEST_MODULES = {
    "plugin",
    "options",
    "hookspecs",
    "fixture",
    "terminal",
    "items",
    "startup",
    "recorder",
    "timed",
}


def sources() -> list[Path]:
    return sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == PACKAGE else (PACKAGE, *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            if node.module == PACKAGE:
                names |= {f"{PACKAGE}.{alias.name}" for alias in node.names}
    return names


def layer_of(module: str) -> int | None:
    parts = module.split(".")
    if parts[0] != PACKAGE or len(parts) < 2:
        return None
    return next((height for height, names in enumerate(LAYERS) if parts[1] in names), None)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_its_own_layer_and_lower_ones(path: Path) -> None:
    module = module_name(path)
    if module == PACKAGE:
        return
    own = layer_of(module)
    assert own is not None, f"{module} is in no layer: add it to LAYERS"
    above = {name for name in imports(path) if (layer_of(name) or 0) > own}
    assert not above


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_functions_and_signatures_stay_small(path: Path) -> None:
    relative = str(path.relative_to(ROOT))
    text = path.read_text(encoding="utf-8")
    if relative not in UNMEASURED_FILES:
        assert text.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, f"{node.name} is too long"
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([argument for argument in arguments if argument.arg not in ("self", "cls")])
            assert count <= MAX_PARAMETERS, f"{node.name} takes {count} parameters"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_pytest_and_heavy_libraries_stay_where_they_belong(path: Path) -> None:
    module = module_name(path)
    tops = {name.split(".")[0] for name in imports(path)}
    within = module.split(".")[1] if "." in module else ""
    if within not in PYTEST_MODULES | {"suites"}:
        assert "pytest" not in tops
    if within not in ("models", "training"):
        assert not tops & HEAVY
    if within == "core":
        allowed = CORE_MAY_IMPORT.get(module.rpartition(".")[2], set())
        outside = tops - set(sys.stdlib_module_names) - {PACKAGE} - allowed
        assert not outside
    if within == "training":
        assert not {name for name in imports(path) if name.split(".")[1:2] in (["plugin"], ["items"], ["recorder"])}


@pytest.mark.parametrize("module", ["plugin", "cli"])
def test_starting_the_plugin_or_the_command_loads_nothing_heavy(module: str) -> None:
    unwanted = HEAVY | {"scipy", "numpy", "jsonschema", "matplotlib", "jinja2"}
    code = f"import sys, {PACKAGE}.{module}; print(sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    assert not [path for path in sources() if path.stem in ("utils", "util", "helpers", "misc", "common")]
