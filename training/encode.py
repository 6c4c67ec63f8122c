"""From rows to token ids: the prompt that evaluation feeds, and the completion that it should bring out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.plan import plan
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.models.prompt import PromptStyle, build_prompt, completion_text, encode_prompts

_SENTINEL = "a word that no template writes"

_AT_ONCE = 1000
"""Rows that the tokenizer reads at once, on all cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedRow:
    """One row as a model reads it. The completion ends with the token that ends the model's turn."""

    case_id: str
    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


def encode_rows(cases: Sequence[Case], style: PromptStyle, tokenizer: Any, max_length: int) -> list[EncodedRow]:
    """The rows in token ids, in order.

    Raises TrainingError that counts the rows longer than `max_length` tokens: none is cut, none is dropped.
    """
    requests = plan(cases)
    end = end_of_turn(style, tokenizer)
    rows = []
    for start in range(0, len(cases), _AT_ONCE):
        part = cases[start : start + _AT_ONCE]
        prompts = [build_prompt(requests[case.id], style) for case in part]
        completions = [completion_text(case, style) for case in part]
        whole = [replace(prompt, text=prompt.text + text) for prompt, text in zip(prompts, completions, strict=True)]
        encoded = zip(encode_prompts(tokenizer, prompts), encode_prompts(tokenizer, whole), strict=True)
        for case, text, (before, both) in zip(part, completions, encoded, strict=True):
            # Where prompt and completion would merge, the completion is read alone: generation starts behind the
            # prompt's last token.
            behind = both[len(before) :] if both[: len(before)] == before else plain_ids(tokenizer, text)
            rows.append(EncodedRow(case_id=case.id, prompt=tuple(before), completion=(*behind, end)))
    _refuse_long(rows, max_length)
    return rows


def end_of_turn(style: PromptStyle, tokenizer: Any) -> int:
    """The id of the token with which the model ends its turn: the chat template's own, else the end-of-text token.

    Raises TrainingError for a tokenizer that has neither.
    """
    if style.templated:
        fixed = [{"role": "user", "content": "x"}, {"role": "assistant", "content": _SENTINEL}]
        text = str(tokenizer.apply_chat_template(fixed, tokenize=False))
        behind = text.rpartition(_SENTINEL)[2].strip()
        ids = plain_ids(tokenizer, behind) if behind else []
        if ids and ids[0] in set(tokenizer.all_special_ids):
            return ids[0]
    if tokenizer.eos_token_id is None:
        raise TrainingError("the model's tokenizer has no end-of-text token; set eos_token in tokenizer_config.json")
    end: int = tokenizer.eos_token_id
    return end


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text alone, without special tokens of the tokenizer's own; never padded or cut."""
    return list(tokenizer(text, add_special_tokens=False, padding=False, truncation=False)["input_ids"])


def _refuse_long(rows: Sequence[EncodedRow], max_length: int) -> None:
    long = [row for row in rows if len(row) > max_length]
    if long:
        worst = max(long, key=len)
        raise TrainingError(
            f"{len(long)} of {len(rows)} rows are longer than max_seq_length {max_length} tokens (the longest is "
            f"{worst.case_id!r} with {len(worst)}); raise max_seq_length or shorten the rows"
        )
