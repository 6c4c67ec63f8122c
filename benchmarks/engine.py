"""The engine against what one would run instead: same model, prompts and limit, interleaved, as ratios.

    python benchmarks/engine.py [--model demo:base] [--cases 64] [--rounds 3] [--max-new-tokens 32]
    pip install -r benchmarks/requirements-engine.txt    # for lm-eval and inspect-ai, which are left out otherwise

A model that was not tuned for tools rambles to the limit, so the default limit is the mean length of a right answer.
One by one, every prompt costs the same, so (a) takes a part of them and its seconds are scaled up: --one-by-one N.
Loops (a) and (b) stop at the model's end-of-text tokens; (b) sorts by length, and of its batch sizes the best counts.
"""

import argparse
import asyncio
import importlib.util
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.plan import GenerationSettings, Request, plan
from pytest_mcpbench.models.base import LoadOptions
from pytest_mcpbench.models.engine import generate
from pytest_mcpbench.models.hf import HFModel
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.session import CODING_CASES, FIXTURES

PAD = 0
ALONE = "a one by one"
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True, slots=True)
class Work:
    """What every runner gets. `prompts` and `ids` are those of the requests, in their order."""

    model: HFModel
    folder: Path
    requests: list[Request]
    prompts: list[str]
    ids: list[list[int]]
    settings: GenerationSettings

    @property
    def network(self) -> Any:
        """The transformers model."""
        return self.model.network

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return self.model._tokenizer


Runner = Callable[[], list[str]]


def plain_loop(work: Work, batch_size: int, prompts: int | None = None) -> list[str]:
    """Generate in batches padded on the left, in the order of length; one by one for a batch size of 1.

    Of fewer prompts, spread over all, the texts of the others are empty.
    """
    chosen = range(0, len(work.ids), len(work.ids) // prompts if prompts else 1)
    order = sorted(chosen, key=lambda at: len(work.ids[at]), reverse=True)
    texts = [""] * len(work.ids)
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        width = max(len(work.ids[at]) for at in places)
        ids = torch.tensor([[PAD] * (width - len(work.ids[at])) + work.ids[at] for at in places])
        mask = torch.tensor([[0] * (width - len(work.ids[at])) + [1] * len(work.ids[at]) for at in places])
        with torch.inference_mode():
            out = work.network.generate(
                input_ids=ids.to(work.network.device),
                attention_mask=mask.to(work.network.device),
                do_sample=False,
                max_new_tokens=work.settings.max_new_tokens,
                eos_token_id=sorted(work.model._ends),
            )
        for at, text in zip(places, work.tokenizer.batch_decode(out[:, width:]), strict=True):
            texts[at] = text
    return texts


def engine(work: Work) -> list[str]:
    """Generate as a run of the plugin does, without what was kept from earlier rounds."""
    work.model.forget_prefix()
    pairs = generate(work.model, work.requests, work.settings, cache=None, on_batch=None)
    texts = {request.key: answer.text for request, answer in pairs}
    return [texts[request.key] for request in work.requests]


def lm_eval(work: Work, batch_size: int) -> Runner:
    """lm-evaluation-harness' HF backend, on the same model in memory."""
    from lm_eval.api.instance import Instance  # noqa: PLC0415  # a peer that may be missing
    from lm_eval.models.huggingface import HFLM  # noqa: PLC0415

    peer = HFLM(pretrained=work.network, tokenizer=work.tokenizer, batch_size=batch_size, backend="causal")
    options = {"until": [], "max_gen_toks": work.settings.max_new_tokens, "do_sample": False}
    instances = [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, dict(options)), idx=at)
        for at, prompt in enumerate(work.prompts)
    ]
    return lambda: list(peer.generate_until(instances, disable_tqdm=True))


def inspect_ai(work: Work, batch_size: int) -> Runner:
    """inspect-ai's HF provider, which loads the folder itself and batches what is asked at once."""
    from inspect_ai.model import GenerateConfig, get_model  # noqa: PLC0415  # a peer that may be missing

    config = GenerateConfig(max_tokens=work.settings.max_new_tokens, max_connections=batch_size, temperature=0.0)
    options = {"model_path": str(work.folder), "device": str(work.network.device), "batch_size": batch_size}
    peer = get_model("hf/local", config=config, chat_template="{{ messages[0].content }}", do_sample=False, **options)

    async def ask() -> list[str]:
        return [answer.completion for answer in await asyncio.gather(*(peer.generate(p) for p in work.prompts))]

    return lambda: asyncio.run(ask())


def runners(work: Work, batch_sizes: Sequence[int], one_by_one: int, wanted: str) -> dict[str, Runner]:
    """Every wanted runner that can be had here, by its name; the engine always."""
    found: dict[str, Runner] = {"e engine": lambda: engine(work)}
    if "a" in wanted:
        found[ALONE] = lambda: plain_loop(work, 1, one_by_one)
    for size in batch_sizes if "b" in wanted else ():
        found[f"b batches of {size}"] = lambda size=size: plain_loop(work, size)  # type: ignore[misc]
    for name, module, make in (("c lm-eval", "lm_eval", lm_eval), ("d inspect-ai", "inspect_ai", inspect_ai)):
        if name[0] not in wanted:
            continue
        if importlib.util.find_spec(module):
            found[name] = make(work, max(batch_sizes))
        else:
            print(f"{name}: is not installed (benchmarks/requirements-engine.txt)")
    return found


def measure(found: dict[str, Runner], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds of each runner in each round; the order changes from round to round."""
    seconds: dict[str, list[float]] = {name: [] for name in found}
    texts: dict[str, list[str]] = {}
    for number in range(rounds):
        for name in random.Random(number).sample(sorted(found), len(found)):
            started = clock()
            texts[name] = found[name]()
            seconds[name].append(clock() - started)
            print(f"round {number + 1}: {name:20} {seconds[name][-1]:8.2f} s", flush=True)
    for name, others in texts.items():
        pairs = [(text, other) for text, other in zip(texts["e engine"], others, strict=True) if other]
        alike = sum(other.startswith(text.rstrip()) for text, other in pairs)
        print(f"{name}: {alike} of {len(pairs)} answers begin as the engine's")
        seconds[name] = [each * len(others) / len(pairs) for each in seconds[name]]
    return seconds


def read_work(options: argparse.Namespace) -> Work:
    """The model and the prompts of some of the shipped cases, spread over all of them."""
    source = resolve(options.model)
    load = LoadOptions(device=options.device, dtype="float32", threads=options.threads, tool_detail=options.tool_detail)
    model = load_model(source, load)
    assert isinstance(model, HFModel), "the loops run transformers' models"
    cases = CaseReader(shipped_tools=FIXTURES / "tools").read([CODING_CASES])
    requests = list(plan(cases).values())
    requests = requests[:: max(1, len(requests) // options.cases)][: options.cases]
    # For a peer that loads a folder: an adapter's base alone would be another model.
    checkpoint = options.merged or Path(model.network.config._name_or_path)
    if options.merged:
        model.network.save_pretrained(checkpoint)
        model._tokenizer.save_pretrained(checkpoint)
    return Work(
        model=model,
        folder=checkpoint,
        requests=requests,
        prompts=[model._prompt(request).text for request in requests],
        ids=[list(model.token_ids(request)) for request in requests],
        settings=GenerationSettings(max_new_tokens=options.max_new_tokens, tool_detail=options.tool_detail),
    )


def main() -> None:
    """Print each runner's median and how many times the engine's it is, from the rounds' own ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo:base")
    parser.add_argument("--cases", type=int, default=64)
    parser.add_argument("--one-by-one", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--tool-detail", choices=["line", "schema"], default="line")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: for --threads 1 on a busy machine")
    parser.add_argument("--runners", default="abcd", metavar="LETTERS", help="which to compare with (default abcd)")
    parser.add_argument(
        "--merged", type=Path, metavar="FOLDER", help="for adapters: write the merged model there, for d"
    )
    options = parser.parse_args()
    work = read_work(options)
    tokens = statistics.mean(map(len, work.ids))
    print(f"{len(work.ids)} prompts of {tokens:.0f} tokens, at most {options.max_new_tokens} new ones", flush=True)
    found = runners(work, options.batch_sizes, min(options.one_by_one, options.cases), options.runners)
    seconds = measure(found, options.rounds, CLOCKS[options.clock])
    print(f"\n{'':22}{'median':>10}{'times the engine (each round)':>36}")
    for name in sorted(seconds):
        ratios = [theirs / ours for theirs, ours in zip(seconds[name], seconds["e engine"], strict=True)]
        each = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"{name:22}{statistics.median(seconds[name]):8.2f} s{statistics.median(ratios):10.1f} x  ({each})")


if __name__ == "__main__":
    main()
