"""What the benchmark costs around the model, and how that grows with the cases. Each part prints its figures.

    python benchmarks/overhead.py share [--model demo:finetuned] [--cases 500]
    python benchmarks/overhead.py collect [--cases 10000]
    python benchmarks/overhead.py rescore [--cases 10000]
    python benchmarks/overhead.py cached [--cases 10000] [--model demo:finetuned]
    python benchmarks/overhead.py memory [--sizes 1000 5000 10000]

`--runs N` repeats what is timed. Where cases are made up, they are the shipped ones with other words in the prompt.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "fixtures" / "cases" / "coding"
LEVELS = "level1 or level2 or level3 or level4"
ANSWER = "<tool_use>read(file_path='a')</tool_use>"
PYTEST = ("-m", "pytest", "-p", "no:randomly", "-p", "no:hypothesispytest")
"""Without the plugins that only this project's own tests use."""

SUITES = (*PYTEST, "--pyargs", "pytest_mcpbench.suites", "--mcp-cases=cases.jsonl", "-q", "--tb=no")
COMMAND = "from pytest_mcpbench.cli import main; main()"
GATES_FAILED = 1

PLAIN_LOAD = """
import sys
from pytest_mcpbench.models.load import LoadOptions, on_disk, resolve
source = on_disk(resolve(sys.argv[1]), LoadOptions())
base = source.base.path if source.base else source.path
import peft, torch, transformers
transformers.AutoTokenizer.from_pretrained(base)
model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
if source.base:
    peft.PeftModel.from_pretrained(model, source.path).merge_and_unload()
"""
"""What any script does that has such a model answer: transformers and peft alone, without a line of the engine."""

EMPTY_TESTS = """
import pytest

class Empty(pytest.Item):
    def runtest(self):
        pass

class Tests(pytest.File):
    def collect(self):
        return [Empty.from_parent(self, name=f"test[{{number}}]") for number in range({count})]

def pytest_collect_file(file_path, parent):
    return Tests.from_parent(parent, path=file_path) if file_path.suffix == ".empty" else None
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process that has ended: how long it took, the most memory that it held, and what it printed."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    lines: tuple[str, ...]

    @property
    def last(self) -> str:
        """The last line."""
        return self.lines[-1] if self.lines else ""


def write_cases(path: Path, count: int) -> None:
    """Write `count` cases with prompts of their own, made from the shipped ones."""
    rows = [
        json.loads(line) for file in sorted(SHIPPED.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
    ]
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            row = rows[number % len(rows)]
            out.write(json.dumps({**row, "id": f"case-{number}", "prompt": f"{row['prompt']} ({number})"}) + "\n")


def run(folder: Path, *args: str, codes: tuple[int, ...] = (0, GATES_FAILED), **environment: str) -> Run:
    """Python with these arguments, in the folder. Compiled modules are kept, as they are where a user runs it."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        started_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *args], cwd=folder, env=inherited | environment, stdout=out, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started_s
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = tuple(line for line in out.read().splitlines() if line.strip())
    if process.returncode not in codes:
        sys.exit(f"exit code {process.returncode}: {lines[-1] if lines else args}")
    in_bytes = 1 if sys.platform == "darwin" else 1024
    return Run(wall_s=wall_s, cpu_s=used.ru_utime + used.ru_stime, peak_bytes=used.ru_maxrss * in_bytes, lines=lines)


def times(name: str, runs: Sequence[Run], limit: str = "") -> str:
    """A line: the median and the range of some runs, wall time and processor time."""
    wall = [each.wall_s for each in runs]
    cpu = statistics.median(each.cpu_s for each in runs)
    spread = f"{min(wall):.2f} to {max(wall):.2f}, " if len(runs) > 1 else ""
    return f"{name}: {statistics.median(wall):.2f} s ({spread}processor {cpu:.2f} s, {len(runs)} runs){limit}"


def repeated(runs: int, once: Callable[[], Run]) -> list[Run]:
    """So many runs, behind one that is not counted: it compiles modules and warms the disk's cache."""
    once()
    return [once() for _ in range(runs)]


def share(folder: Path, options: argparse.Namespace) -> None:
    """Everything but `generate`, as a share of a run of all levels that nothing was cached for.

    A PyTorch model has to be loaded by whatever runs it, so a script that does nothing else is timed beside it.
    """
    write_cases(folder / "cases.jsonl", options.cases)
    for _ in range(options.runs):
        plain = repeated(1, lambda: run(folder, "-c", PLAIN_LOAD, options.model))[0]
        found = run(
            folder,
            *(*SUITES, "-m", LEVELS, "-p", "generate_clock", "--mcp-no-cache", f"--mcp-model={options.model}"),
            PYTHONPATH=str(HERE),
            GENERATE_CLOCK="clock.json",
        )
        clock = json.loads((folder / "clock.json").read_text("ascii"))
        print(f"{options.cases} cases x 4 levels, {options.model}")
        parts = (("wall clock", found.wall_s, plain.wall_s, "_s"), ("processor", found.cpu_s, plain.cpu_s, "_cpu_s"))
        for kind, whole_s, plain_s, tail in parts:
            generate_s, load_s = clock[f"generate{tail}"], clock[f"load{tail}"]
            around_s = whole_s - generate_s - plain_s
            print(
                f"  {kind}: {whole_s:.1f} s: generate {generate_s:.1f} s, loading the model {load_s:.2f} s, the rest "
                f"{whole_s - generate_s - load_s:.2f} s; loading it in a plain script {plain_s:.2f} s, so around the "
                f"model {around_s:.2f} s = {100 * around_s / whole_s:.1f} % (limit 5 %)",
                flush=True,
            )


def collect(folder: Path, options: argparse.Namespace) -> None:
    """Cases read and tests made: pytest's own count, and the whole command with start and end."""
    write_cases(folder / "cases.jsonl", options.cases)
    for what, marks in (("one level", ("-m", "level3")), ("every suite", ())):
        command = (*SUITES, "--collect-only", "--mcp-model=null:first-tool", *marks)
        runs = repeated(options.runs, lambda command=command: run(folder, *command))
        own = [float(re.findall(r"in ([\d.]+)s", each.last)[0]) for each in runs]
        print(f"{options.cases} cases, {what}: {runs[-1].last.rpartition(' in ')[0]}")
        print(f"  by pytest's own clock: {statistics.median(own):.2f} s ({min(own):.2f} to {max(own):.2f})")
        print(times("  the whole command", runs, " (limit 5 s)"))


def rescore(folder: Path, options: argparse.Namespace) -> None:
    """A run's kept answers scored again, by `mcpbench rescore`."""
    write_cases(folder / "cases.jsonl", options.cases)
    run(folder, *SUITES, "-m", "level3", "--mcp-model=null:first-tool", "--mcp-json=run.json")
    command = ("-c", COMMAND, "rescore", "run.json", "--out", "again.json")
    print(
        times(
            f"{options.cases} kept answers rescored",
            repeated(options.runs, lambda: run(folder, *command)),
            " (limit 10 s)",
        )
    )


def cached(folder: Path, options: argparse.Namespace) -> None:
    """A whole run whose answers all are in the cache, beside what pytest itself takes for as many empty tests."""
    write_cases(folder / "cases.jsonl", options.cases)
    command = (*SUITES, "-m", "level3", f"--mcp-model={options.model}", "-p", "generate_clock")
    clock = {"PYTHONPATH": str(HERE), "GENERATE_CLOCK": "clock.json"}
    run(folder, *command, **clock, GENERATE_CLOCK_ANSWER=ANSWER)
    runs = repeated(options.runs, lambda: run(folder, *command, **clock))
    seconds = json.loads((folder / "clock.json").read_text("ascii"))
    if seconds["generate_s"]:
        sys.exit("some answers were not cached")
    print(times(f"{options.cases} cached answers of {options.model} in a run of one level", runs))
    print(f"  of them loading the model {seconds['load_s']:.2f} s")
    empty = repeated(options.runs, lambda: run_empty(folder, options.cases))
    print(times(f"  {options.cases} empty tests, which is pytest's own part", empty))


def run_empty(folder: Path, count: int) -> Run:
    """So many tests that do nothing: what pytest itself takes."""
    place = folder / "empty"
    place.mkdir(exist_ok=True)
    (place / "pytest.ini").write_text("[pytest]\n", encoding="ascii")
    (place / "conftest.py").write_text(EMPTY_TESTS.format(count=count), encoding="ascii")
    (place / "tests.empty").touch()
    return run(place, *PYTEST, "-q", "tests.empty")


def memory(folder: Path, options: argparse.Namespace) -> None:
    """The most memory that runs of growing size hold, beside what they write down."""
    before: tuple[int, Run] | None = None
    for count in options.sizes:
        write_cases(folder / "cases.jsonl", count)
        found = run(folder, *SUITES, "-m", LEVELS, "--mcp-model=null:first-tool", "--mcp-json=run.json")
        record_bytes = (folder / "run.json").stat().st_size / count
        grown = ""
        if before is not None and count > before[0]:
            per_case = (found.peak_bytes - before[1].peak_bytes) / (count - before[0])
            grown = f", {per_case / 1e3:.1f} kB for each further case"
        print(
            f"{count} cases x 4 levels: at most {found.peak_bytes / 1e6:.0f} MB{grown}; "
            f"its result takes {record_bytes / 1e3:.1f} kB a case; {found.wall_s:.1f} s",
            flush=True,
        )
        before = count, found
    few, many = (run_empty(folder, count).peak_bytes for count in (1000, 10_000))
    print(f"pytest itself holds {(many - few) / 9000 / 1e3:.1f} kB for each empty test")


def positive(text: str) -> int:
    """A count of at least 1."""
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True, metavar="PART")
    for part, cases, runs in ((share, 500, 1), (collect, 10_000, 3), (rescore, 10_000, 3), (cached, 10_000, 1)):
        command = parts.add_parser(part.__name__, help=part.__doc__)
        command.add_argument("--cases", type=positive, default=cases)
        command.add_argument("--runs", type=positive, default=runs)
        command.add_argument("--model", default="demo:finetuned")
        command.set_defaults(part=part)
    command = parts.add_parser("memory", help=memory.__doc__)
    command.add_argument("--sizes", type=positive, nargs="+", default=[1000, 5000, 10_000])
    command.set_defaults(part=memory)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        options.part(Path(name), options)


if __name__ == "__main__":
    main()
