"""What a finished run leaves: the adapter, what it was trained on, the report, its curves, a merged checkpoint."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.overlap import row_hash
from pytest_mcpbench.models.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, TRAINING
from pytest_mcpbench.models.quiet import quiet
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.report import TrainingReport, write_report, write_text
from pytest_mcpbench.training.rows import DataFile

if TYPE_CHECKING:
    import torch

MERGED = "merged"
CURVES = "curves.svg"


def write_adapter(
    folder: Path, tensors: Mapping[str, "torch.Tensor"], config: MCPFineTuningConfig, modules: Sequence[str], base: str
) -> None:
    """Write the adapter: its weights, then the configuration that makes the folder an adapter.

    Only settings that differ from PEFT's defaults are written, so that other versions of PEFT read it too.
    """
    # Here, not above: these bring torch.
    import torch  # noqa: PLC0415
    from safetensors.torch import save  # noqa: PLC0415

    dtype = {"bfloat16": torch.bfloat16, "float32": torch.float32}[config.adapter_dtype]
    part = folder / f"{ADAPTER_WEIGHTS}.part"
    # As bytes: a file that safetensors makes itself can be read by its owner alone.
    part.write_bytes(save({name: tensor.to(dtype).contiguous() for name, tensor in tensors.items()}, {"format": "pt"}))
    part.replace(folder / ADAPTER_WEIGHTS)
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.lora_r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "target_modules": list(modules),
        "bias": "none",
        "inference_mode": True,
    }
    write_text(folder / ADAPTER_CONFIG, json.dumps(settings, indent=2) + "\n")


def training_facts(report: TrainingReport, rows: Sequence[Case], files: Sequence[DataFile]) -> str:
    """The text of `mcpbench_training.json`: enough to know what the model has seen, and to train it again."""
    facts = {
        "schema": "mcpbench.trained/1",
        "base": report.base,
        "format": report.format,
        "config": dict(report.config),
        "files": [asdict(file) for file in files],
        "machine": asdict(report.machine),
        "seconds": round(report.seconds, 1),
        "best": asdict(report.best),
    }
    # The rows fill one long line: there are hundreds of thousands. In order of their ids they compress well.
    hashes = json.dumps(
        {case.id: row_hash(case) for case in sorted(rows, key=lambda row: row.id)}, separators=(",", ":")
    )
    return f'{json.dumps(facts, indent=1)[:-2]},\n "rows": {hashes}\n}}\n'


def write_records(folder: Path, report: TrainingReport, rows: Sequence[Case], files: Sequence[DataFile]) -> None:
    """Write what was trained on, the report and, where matplotlib is installed, the curves."""
    write_text(folder / TRAINING, training_facts(report, rows, files))
    write_report(report, folder)
    write_curves(report, folder / CURVES)


def write_merged(model: Any, tokenizer: Any, folder: Path, facts: Path) -> Path:
    """The folder of a checkpoint that holds base and adapter in one. The model is used up by it."""
    target = folder / MERGED
    network = model.merge_and_unload()
    with quiet():
        network.save_pretrained(target, safe_serialization=True)
        tokenizer.save_pretrained(target)
    write_text(target / TRAINING, facts.read_text(encoding="utf-8"))
    return target


def write_curves(report: TrainingReport, path: Path) -> Path | None:
    """The path of a picture of loss and accuracy by step; None where matplotlib is not installed."""
    try:
        # Here, not above: it is slow to load, and only drawing needs it.
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return None
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    steps = [evaluation.step for evaluation in report.evaluations]
    loss.plot([point.step for point in report.points], [point.train_loss for point in report.points], label="train")
    loss.plot(steps, [evaluation.eval_loss for evaluation in report.evaluations], marker="o", label="validation")
    loss.set(xlabel="step", ylabel="loss (nats a token)", yscale="log")
    for name in ("tool", "parameters"):
        rates = [100 * (getattr(evaluation, name).rate or 0) for evaluation in report.evaluations]
        accuracy.plot(steps, rates, marker="o", label=name)
    accuracy.axvline(report.best_step, color="grey", linewidth=0.8, linestyle=":", label="kept")
    accuracy.set(xlabel="step", ylabel="validation accuracy (%)")
    for axes in (loss, accuracy):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    part = path.with_name(path.name + ".part")
    figure.savefig(part, format="svg", metadata={"Date": None})
    part.replace(path)
    return path
