"""Gates of quantized models: recorded ones for what they answer, tiny real ones for what they weigh."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
import transformers.models.qwen3.modeling_qwen3  # noqa: F401  # a run inside a test forgets what it imported

from pytest_mcpbench.models.onnx_recipe import make_recipe
from tests.models.tiny_onnx import exported, save_exportable
from tests.plugin.conftest import LEAN, RIGHT, Bench

TINY = (
    "--mcp-max-new-tokens=2",
    "--mcp-device=cpu",
    "--mcp-threads=1",
    "--mcp-cases=cases.jsonl",
    "--mcp-json=run.json",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny checkpoint, and what it is quantized to, in folders whose names say nothing."""
    folder = tmp_path_factory.mktemp("models")
    checkpoint, _ = save_exportable(folder / "whole", "qwen3")
    config = checkpoint / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 2048}))
    return {
        "whole": checkpoint,
        "eight": exported(checkpoint, folder / "eight", make_recipe("int8")),
        "four": exported(checkpoint, folder / "four", make_recipe("int4")),
    }


def gates(bench: Bench, model: str) -> dict[str, Any]:
    return {gate["name"]: gate for gate in bench.result()["gates"] if gate["model"] == model}


def test_what_a_folder_says_of_itself_makes_it_a_quantized_model_whatever_its_label(
    bench: Bench, models: dict[str, Path]
) -> None:
    result = bench.plain(
        f"--mcp-model=finetuned={models['whole']}", f"--mcp-model=prod={models['four']}", *TINY, "-m", "comparison"
    )
    found = gates(bench, "prod")
    assert found["no-worse-than:finetuned:level3"]["verdict"] == "UNDECIDED"
    assert "margin 3 points" in found["no-worse-than:finetuned:level3"]["reason"]
    weights = bench.result()["models"]["prod"]["weights"]
    assert not [record for record in bench.result()["records"] if record["error"]]
    assert (weights["dtype"], weights["bits"], weights["engine"]) == ("int4", 4, "ONNX Runtime")
    result.stdout.fnmatch_lines(
        [
            "mcpbench: 8 cases cannot show that prod loses less than 3 points against finetuned: that takes 88 *",
            "*prod guide -87.5 % size: * % of finetuned in float32 (*; bound: not below 16.0 % (int4 in blocks of 32*",
            "*prod guide 3.67x speed: speed not measured; bound: at most *x by smaller weights (*a token); no data",
            "*prod guide < 3 % loss: net loss 0.0 points, *to show less than 3 points takes 88 cases*",
        ]
    )


def test_sizes_and_claims_are_gates_where_a_target_asks(bench: Bench, models: dict[str, Path]) -> None:
    result = bench.plain(
        f"--mcp-model=finetuned={models['whole']}",
        f"--mcp-model=int8={models['eight']}",
        *TINY,
        *("--mcp-target=size:int8=0.9", "--mcp-target=guide:int8", "-m", "comparison", "-k", "test_quantized"),
    )
    found = gates(bench, "int8")
    assert {name: gate["verdict"] for name, gate in found.items()} == {
        "size": "PASS",
        "guide:int8-size": "FAIL",
        "guide:int8-speed": "FAIL",
        "guide:int8-loss": "UNDECIDED",
    }
    assert 0.28 < found["size"]["rate"] < 0.9
    assert "speed was not measured" in found["guide:int8-speed"]["reason"]
    assert "no file of this form can reach it" in found["guide:int8-size"]["next_step"]
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=3)


def test_a_claimed_speed_is_judged_by_what_the_latency_suite_measured(bench: Bench, models: dict[str, Path]) -> None:
    result = bench.pytester.runpytest_inprocess(
        *(option for option in LEAN if "benchmark" not in option),
        f"--mcp-model=finetuned={models['whole']}",
        f"--mcp-model=int8={models['eight']}",
        *TINY,
        *("--mcp-target=guide:int8-speed", "-m", "latency", "--mcp-iterations=1"),
    )
    found = gates(bench, "int8")["guide:int8-speed"]
    assert result.ret == (found["verdict"] != "PASS")
    assert found["n"] >= 20
    assert "x as fast (95 % interval" in found["reason"]
    assert found["target"] == 2.67


def test_a_quantized_model_alone_has_no_size_to_pass_with(bench: Bench, models: dict[str, Path]) -> None:
    result = bench.plain(f"--mcp-model=int8={models['eight']}", *TINY, "--mcp-target=size=0.9", "-m", "comparison")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL size int8: no data: *--mcp-model=finetuned=PATH"])


def test_a_real_quantized_model_answers_alike_alone_and_in_batches(bench: Bench, models: dict[str, Path]) -> None:
    result = bench.plain(
        f"--mcp-model=finetuned={models['whole']}",
        f"--mcp-model=int8={models['eight']}",
        *TINY,
        *("--mcp-verify-batching=4", "-m", "level2", "--mcp-gate=off", "--mcp-max-new-tokens=8"),
    )
    assert result.ret == 0
    assert {model: gates(bench, model)["batching"]["verdict"] for model in ("finetuned", "int8")} == {
        "finetuned": "PASS",
        "int8": "PASS",
    }
    assert not [record for record in bench.result()["records"] if record["error"]]


@pytest.mark.parametrize(
    ("label", "level3", "level4"), [("int8", 0.94, 0.89), ("int4", 0.93, 0.88), ("other", 0.95, 0.9)]
)
def test_the_targets_of_quantized_models_are_lower(bench: Bench, label: str, level3: float, level4: float) -> None:
    bench.write_answers(RIGHT)
    result = bench.run("--mcp-json=run.json", model=label)
    assert result.ret == 0
    found = gates(bench, label)
    assert (found["level3"]["target"], found["level4"]["target"]) == (level3, level4)
    result.stdout.fnmatch_lines([f"*level3 correctness *, target {100 * level3:g} %*"])


def test_the_guides_claims_can_be_asked_for_in_the_projects_own_settings(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    (bench.path / "pyproject.toml").write_text('[tool.mcpbench.targets]\n"guide:int8-loss" = true\n')
    bench.run("--mcp-model=finetuned=replay:answers.jsonl", "--mcp-json=run.json", model="int8")
    assert gates(bench, "int8")["guide:int8-loss"]["verdict"] == "UNDECIDED"


def test_a_case_that_flipped_is_listed_with_both_texts(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    bench.write_answers(RIGHT | {"grep-1": "<tool_use>grep(pattern='TODO')</tool_use>"}, "other.jsonl")
    result = bench.run("--mcp-model=int8=replay:other.jsonl", "--mcp-json=run.json", model="finetuned")
    result.stdout.fnmatch_lines(
        [
            "*lost: 1 case",
            "*grep-1",
            "*finetuned: <tool_use>grep(pattern='TODO', path='src')</tool_use>",
            "*int8: <tool_use>grep(pattern='TODO')</tool_use>",
        ]
    )


def test_a_run_scored_again_keeps_sizes_and_judges_losses_anew(bench: Bench, models: dict[str, Path]) -> None:
    from pytest_mcpbench.core.rescore import Rules, rescore  # noqa: PLC0415 (a run inside a test forgets its imports)
    from pytest_mcpbench.core.result import read_result  # noqa: PLC0415
    from pytest_mcpbench.core.target import targets_of  # noqa: PLC0415

    bench.plain(
        f"--mcp-model=finetuned={models['whole']}",
        f"--mcp-model=int8={models['eight']}",
        *TINY,
        *("--mcp-target=size:int8=0.9", "--mcp-target=guide:int8-loss"),
    )
    old = read_result(bench.path / "run.json")
    new = rescore(old, Rules(targets=targets_of(["level3=0.5"])))
    assert [(verdict.gate, verdict.status) for verdict in new.gates] == [
        (verdict.gate, verdict.status) for verdict in old.gates
    ]
    assert new.models["int8"].weights == old.models["int8"].weights
