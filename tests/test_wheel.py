"""What a user gets: a wheel, installed into an empty environment, run in an empty folder."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a virtual environment that holds the wheel and the core's requirements, nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    assert run(sys.executable, "-m", "venv", folder / "venv", cwd=folder).returncode == 0
    binaries = folder / "venv" / "bin"
    pip = run(binaries / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=folder)
    assert pip.returncode == 0, pip.stdout + pip.stderr
    return binaries


def test_the_wheel_runs_the_shipped_suites_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = run(
        *(installed / "pytest", "--pyargs", "pytest_mcpbench.suites", "--mcp-model=null:echo", "-q", "--tb=no"),
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tier POOR" in done.stdout
    assert "level4 parameters   0/" in done.stdout
    assert (tmp_path / ".mcpbench" / "runs").is_dir()


def test_without_arguments_a_model_is_measured_on_the_shipped_suites(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "pytest", "--mcp-model=null:silent", "-m", "level3 and smoke", "-q", "--tb=no", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tool calling: 60 cases, 1 model" in done.stdout


def test_the_core_install_names_the_extra_that_a_real_model_needs(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "pytest", "--mcp-model=demo:base", cwd=tmp_path)
    assert done.returncode == 4
    assert "pip install 'pytest-mcpbench[demo]'" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_command_line_works_without_extras(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "mcpbench", "cases", "check", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cases = sum(len(file.read_text("utf-8").splitlines()) for file in (ROOT / "fixtures/cases/coding").glob("*.jsonl"))
    assert f"{cases} cases" in done.stdout
