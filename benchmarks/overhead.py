"""Wall time of pytest around a model that answers at once: start-up, collection, scoring, reporting.

    python benchmarks/overhead.py [--cases 1000] [--runs 5]

Every case is run at the four levels. The model is null:first-tool, whose answers cost nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHIPPED = Path(__file__).parent.parent / "fixtures" / "cases" / "coding"
LEVELS = "level1 or level2 or level3 or level4"


def write_cases(path: Path, count: int) -> None:
    """Write `count` cases with prompts of their own, made from the shipped ones."""
    rows = [
        json.loads(line) for file in sorted(SHIPPED.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
    ]
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            row = rows[number % len(rows)]
            out.write(json.dumps({**row, "id": f"case-{number}", "prompt": f"{row['prompt']} ({number})"}) + "\n")


def run_once(folder: Path) -> tuple[float, str]:
    """Seconds of one whole run, and pytest's last line."""
    command = [sys.executable, "-m", "pytest", "--pyargs", "pytest_mcpbench.suites", "--mcp-model=null:first-tool"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, f"--mcp-cases={folder / 'cases.jsonl'}", "-m", LEVELS, "-q", "--tb=no"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return time.perf_counter() - started, done.stdout.strip().splitlines()[-1]


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cases(folder / "cases.jsonl", options.cases)
        seconds = []
        for _ in range(options.runs):
            elapsed_s, last = run_once(folder)
            seconds.append(elapsed_s)
            print(f"{elapsed_s:6.2f} s  {last}", flush=True)
    print(
        f"{options.cases} cases x 4 levels: median {statistics.median(seconds):.2f} s, "
        f"min {min(seconds):.2f} s, max {max(seconds):.2f} s, {options.runs} runs"
    )


if __name__ == "__main__":
    main()
