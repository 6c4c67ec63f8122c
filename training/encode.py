"""From rows to token ids: the prompt that evaluation feeds, and the completion that it should bring out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.plan import plan
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.models.prompt import PromptStyle, build_prompt, completion_text

_SENTINEL = "a word that no template writes"


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
    prompts = [build_prompt(requests[case.id], style) for case in cases]
    completions = [completion_text(case, style) for case in cases]
    adds_bos = all(prompt.adds_bos for prompt in prompts)
    prompt_ids = token_ids(tokenizer, [prompt.text for prompt in prompts], adds_bos=adds_bos)
    whole = [prompt.text + completion for prompt, completion in zip(prompts, completions, strict=True)]
    whole_ids = token_ids(tokenizer, whole, adds_bos=adds_bos)
    end = end_of_turn(style, tokenizer)
    rows = [
        EncodedRow(
            case_id=case.id,
            prompt=tuple(before),
            completion=(*_behind(before, both, text, tokenizer), end),
        )
        for case, before, both, text in zip(cases, prompt_ids, whole_ids, completions, strict=True)
    ]
    _refuse_long(rows, max_length)
    return rows


def token_ids(tokenizer: Any, texts: Sequence[str], *, adds_bos: bool) -> list[list[int]]:
    """The ids of each text, in one batched call; never padded or cut, whatever was asked of the tokenizer before."""
    if not texts:
        return []
    encoded: Mapping[str, list[list[int]]] = tokenizer(
        list(texts), add_special_tokens=adds_bos, padding=False, truncation=False, return_attention_mask=False
    )
    return encoded["input_ids"]


def end_of_turn(style: PromptStyle, tokenizer: Any) -> int:
    """The id of the token with which the model ends its turn: the chat template's own, else the end-of-text token.

    Raises TrainingError for a tokenizer that has neither.
    """
    if style.templated:
        fixed = [{"role": "user", "content": "x"}, {"role": "assistant", "content": _SENTINEL}]
        text = str(tokenizer.apply_chat_template(fixed, tokenize=False))
        behind = text.rpartition(_SENTINEL)[2].strip()
        ids = token_ids(tokenizer, [behind], adds_bos=False)[0] if behind else []
        if ids and ids[0] in set(tokenizer.all_special_ids):
            return ids[0]
    if tokenizer.eos_token_id is None:
        raise TrainingError("the model's tokenizer has no end-of-text token; set eos_token in tokenizer_config.json")
    end: int = tokenizer.eos_token_id
    return end


def _behind(before: list[int], both: list[int], completion: str, tokenizer: Any) -> list[int]:
    """The completion's ids. Where its first letters would merge into the prompt's last token, it is read alone."""
    if both[: len(before)] == before:
        return both[len(before) :]
    return token_ids(tokenizer, [completion], adds_bos=False)[0]


def _refuse_long(rows: Sequence[EncodedRow], max_length: int) -> None:
    long = [row for row in rows if len(row) > max_length]
    if long:
        worst = max(long, key=len)
        raise TrainingError(
            f"{len(long)} of {len(rows)} rows are longer than max_seq_length {max_length} tokens (the longest is "
            f"{worst.case_id!r} with {len(worst)}); raise max_seq_length or shorten the rows"
        )
