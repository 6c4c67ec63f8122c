"""Where a row of a batch ends: at an end-of-text token, behind its calls, or at a string that begins another turn."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_mcpbench.core.formats import Format

if TYPE_CHECKING:
    import torch

_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|end_of_text|>", "<|endoftext|>")
_CHANNEL = "<|channel|>"
"""In a template with channels (gpt-oss) the ends above close a channel, and a call may follow in the next."""

OnToken = Callable[[], None]
"""Is told that a row has its next token, before anything is made of it."""

_HELD_TOKENS = 8
"""A character may be spread over several tokens; so many are waited for before they count as text."""


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The ids that end an answer: those the tokenizer and the model declare, and the ends of a turn in the template.

    A model tuned with a chat template ends its turn as the template does, whatever its configuration remembers.
    """
    declared = [
        tokenizer.eos_token_id,
        model.config.get_text_config().eos_token_id,
        model.generation_config.eos_token_id,
    ]
    ids = {token for item in declared for token in (item if isinstance(item, list | tuple) else [item])}
    template = str(tokenizer.chat_template or "")
    special = set(tokenizer.all_special_tokens) if _CHANNEL not in template else set()
    ids |= {tokenizer.convert_tokens_to_ids(end) for end in _TURN_ENDS if end in template and end in special}
    return frozenset(int(token) for token in ids if token is not None)


class Row:
    """One answer as it grows."""

    def __init__(
        self,
        tokenizer: Any,
        fmt: Format,
        ends: frozenset[int],
        stops: Sequence[str],
        on_token: OnToken | None = None,
    ) -> None:
        self.ids: list[int] = []
        self.stopped = False
        self._tokenizer = tokenizer
        self._fmt = fmt
        self._ends = ends
        self._stops = stops
        self._on_token = on_token
        self._seen = ""
        self._anchor = 0
        self._read = 0

    def push(self, token: int) -> None:
        """Add a token and decide whether the answer ends with it."""
        if self._on_token is not None:
            self._on_token()
        self.ids.append(token)
        if token in self._ends:
            self.stopped = True
        elif self._grow():
            self.stopped = self._stop_at(self._seen) is not None or self._fmt.is_complete(self._seen)

    def text(self) -> str:
        """The answer, cut where a stop string begins. Special tokens other than the end stay: some carry calls."""
        whole = self._text_of(self.ids[:-1] if self.ids and self.ids[-1] in self._ends else self.ids)
        return whole[: self._stop_at(whole)]

    def _grow(self) -> bool:
        """Whether there is more text than before. Decodes the newest tokens only: the cost of a row stays linear."""
        before = self._text_of(self.ids[self._anchor : self._read])
        after = self._text_of(self.ids[self._anchor :])
        if len(after) <= len(before) or (after.endswith("\ufffd") and len(self.ids) - self._read < _HELD_TOKENS):
            return False
        self._seen += after[len(before) :]
        self._anchor, self._read = self._read, len(self.ids)
        return True

    def _text_of(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _stop_at(self, text: str) -> int | None:
        return min((at for stop in self._stops if (at := text.find(stop)) >= 0), default=None)


class RowStops:
    """Stops each row of a batch for itself. A criterion for `generate`.

    When half of the rows have stopped it stops all, for the caller to go on with the `live` ones alone: a few
    answers that run to the token limit would else carry the others along, and cost as much as if all did.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._batch = list(rows)

    def live(self) -> list[int]:
        """The places, in the batch as it is now, of the rows that go on; the next batch holds just these rows."""
        places = [place for place, row in enumerate(self._batch) if not row.stopped]
        self._batch = [self._batch[place] for place in places]
        return places

    def __call__(self, input_ids: "torch.Tensor", scores: Any, **kwargs: Any) -> "torch.Tensor":
        """Which rows have ended, (B,)."""
        # Here, not above: rows end without torch as well.
        import torch  # noqa: PLC0415

        for row, token in zip(self._batch, input_ids[:, -1].tolist(), strict=True):
            if not row.stopped:
                row.push(token)
        ended = [row.stopped for row in self._batch]
        pause = 2 * sum(ended) >= len(ended)
        return torch.tensor([pause or row_ended for row_ended in ended], device=input_ids.device)
