"""Whether two runs can be compared: like only with like, and what differs is said."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_mcpbench.core.environment import machine_fingerprint
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.run import Environment, RunResult

PACKAGES = ("transformers", "torch", "onnxruntime", "onnxruntime-gpu", "tokenizers", "peft", "optimum-onnx")
"""The packages whose version may change an answer or its time."""

_VERSIONS_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Under what a model of a run answered; "" and None are unknown.

    `prompt` is a hash of how it is asked, tool detail included, `machine` the fingerprint of the machine;
    `packages` maps names to versions.
    """

    prompt: str
    max_new_tokens: int | None
    machine: str
    plugin: str
    packages: Mapping[str, str]


def circumstances(result: RunResult, label: str) -> Circumstances:
    """Those of one model of a run. Raises KeyError for a label that the run does not have."""
    return circumstances_of(result.environment, prompt=result.models[label].prompt, settings=result.settings)


def circumstances_of(environment: Environment, *, prompt: str, settings: GenerationSettings | None) -> Circumstances:
    """Those of a model that is asked so, there."""
    return Circumstances(
        prompt=prompt,
        max_new_tokens=settings.max_new_tokens if settings else None,
        machine=machine_fingerprint(environment),
        plugin=environment.plugin,
        packages=environment.packages,
    )


def forbids(then: Circumstances, now: Circumstances) -> str | None:
    """Why answers under the two do not compare, in words; None if they do. What is unknown forbids nothing."""
    if then.prompt and now.prompt and then.prompt != now.prompt:
        return "the prompt differs (chat template, format or tool texts)"
    if then.max_new_tokens and now.max_new_tokens and then.max_new_tokens != now.max_new_tokens:
        return f"the longest answer differs: {then.max_new_tokens} tokens then, {now.max_new_tokens} now"
    return None


def remarks(then: Circumstances, now: Circumstances) -> tuple[str, ...]:
    """What differs and does not forbid a comparison of answers: versions."""
    found = []
    if then.plugin != now.plugin:
        found.append(f"pytest-mcpbench {then.plugin} then, {now.plugin} now")
    changed = [
        f"{name} {then.packages[name]} then, {now.packages[name]} now"
        for name in PACKAGES
        if name in then.packages and name in now.packages and then.packages[name] != now.packages[name]
    ]
    found += changed[:_VERSIONS_SHOWN]
    if len(changed) > _VERSIONS_SHOWN:
        found.append(f"{len(changed) - _VERSIONS_SHOWN} more versions differ")
    return tuple(found)
