# ruff: noqa: RUF001 - DeepSeek's tokens are spelled with a full-width bar
"""What all readers of model output share: limits, why reading stopped, white space and where markers stand."""

import re
from dataclasses import dataclass, field

THOUGHTS = (("<think>", "</think>"), ("<thinking>", "</thinking>"), ("[THINK]", "[/THINK]"))
"""What opens and closes reasoning in most families."""

FENCE = "```"

MAX_DEPTH = 64
"""Deepest nesting of one argument's value: a list in a list is 2 deep."""

MAX_DIGITS = 400
"""Longest number read, in characters. No tool takes a longer one, and Python refuses 4,300 digits itself."""

END_TOKENS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot|>",
    "<|eom|>",
    "</s>",
    "<eos>",
    "<end_of_turn>",
    "<start_function_response>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "<|return|>",
    "<|call|>",
    "<|user|>",
    "<|observation|>",
    "[e~[",
    "[EOS]",
    "<pad>",
)
"""Tokens that end a turn in the families' tokenizers; decoding may leave them at the end of an answer."""

_SPACE = re.compile(r"[ \t\r\n\f]*")


@dataclass(slots=True)
class ReadError(Exception):
    """Why a piece of text cannot be read: a reason's code and where in the text."""

    reason: str
    at: int


def skip_space(text: str, at: int) -> int:
    """The position of the next character that is not ASCII white space, at most len(text)."""
    if text[at : at + 1] > " ":
        return at
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # matches the empty string too


def expect(text: str, at: int, token: str, reason: str = "trailing_text") -> int:
    """The position behind `token`, which must follow `at` after white space at most.

    Raises ReadError: unclosed if the text ends before or inside the token, else `reason`.
    """
    at = skip_space(text, at)
    if text.startswith(token, at):
        return at + len(token)
    raise ReadError("unclosed" if token.startswith(text[at : at + len(token)]) else reason, at)


def content_end(text: str) -> int:
    """Where the text ends if end-of-turn tokens behind it do not count."""
    end = len(text)
    while True:
        at = end
        while at and text[at - 1].isspace():
            at -= 1
        if not text.endswith(END_TOKENS, 0, at):  # asked at once, since few answers keep one
            return end
        end = at - len(next(token for token in END_TOKENS if text.endswith(token, 0, at)))


@dataclass(slots=True)
class Marks:
    """Where the next occurrence of each marker stands, as long as the questions move forward through the text.

    Each marker is searched once over the whole text, so that a text full of openers costs no more than its length.
    """

    text: str
    _known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def find(self, marker: str, at: int) -> int:
        """The position of the first `marker` at or behind `at`, -1 if there is none."""
        asked, found = self._known.get(marker, (at + 1, -1))
        if asked <= at and (found < 0 or found >= at):
            return found
        found = self.text.find(marker, at)
        self._known[marker] = (at, found)
        return found
