# ruff: noqa: RUF001 - DeepSeek's tokens are spelled with a full-width bar
"""Which format a text or a chat template is in, decided by markers alone and in a fixed order."""

import re
from collections.abc import Callable
from functools import cache

from pytest_mcpbench.core.formats.reading import FENCE, THOUGHTS, Marks, content_end

PAIRS = {**dict(THOUGHTS), "<|channel>": "<channel|>", "◁think▷": "◁/think▷"}
"""What opens reasoning in any family, and what closes it."""

_TEXT_MARKERS = (
    "<tool_use>",
    "<｜DSML｜function_calls>",
    "<｜DSML｜tool_calls>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<|tool_calls_section_begin|>",
    "<|tool_call_begin|>",
    "<minimax:tool_call>",
    "<start_function_call>",
    "<|tool_call>",
    "<|channel|>",
    "<|message|>",
    "[TOOL_CALLS]",
    "<|tool_call_start|>",
    "<function_calls>",
    "<function_call>",
    "<|python_start|>",
    "<|python_tag|>",
    "functools[",
    "functools [",
    "functools{",
    "<|tool_call|>",
    "<tool_call>",
    "<function=",
    "```tool_code",
)
_FIXED = {
    "<tool_use>": "native",
    "<｜DSML｜function_calls>": "deepseek_v32",
    "<｜DSML｜tool_calls>": "deepseek_v4",
    "<|tool_calls_section_begin|>": "kimi_k2",
    "<|tool_call_begin|>": "kimi_k2",
    "<minimax:tool_call>": "minimax_m2",
    "<start_function_call>": "functiongemma",
    "<|tool_call>": "gemma4",
    "<|channel|>": "harmony",
    "<|message|>": "harmony",
    "[TOOL_CALLS]": "mistral",
    "<|tool_call_start|>": "lfm2",
    "<function_calls>": "olmo3",
    "<function_call>": "granite_20b_fc",
    "<|python_start|>": "llama4_pythonic",
    "<|python_tag|>": "llama3_json",
    "functools[": "phi4_mini_json",
    "functools [": "phi4_mini_json",
    "functools{": "phi4_mini_json",
    "<function=": "qwen3_coder",
    "```tool_code": "gemma3",
}
_CLOSERS = {
    "</tool_use>": "native",
    "<end_function_call>": "functiongemma",
    "<tool_call|>": "gemma4",
    "<|/tool_call|>": "phi4_mini_json",
    "</tool_call>": "hermes",
}
BARE_OBJECTS = ("llama3_json", "xlam", "openai_chat", "openai_responses", "anthropic")
BARE_LISTS = ("pythonic", "xlam", "openai_chat", "openai_responses", "anthropic")


def marked_format(text: str, start: int = 0) -> str | None:
    """The format whose marker stands first outside closed reasoning and code fences; None without a marker.

    Markers that several families share are told apart by what follows them. A text with a closing marker alone is in
    that marker's format.
    """
    marks = Marks(text)
    at = start
    while (found := _pattern().search(text, at)) is not None:
        mark = found.group()
        at = found.end()
        if mark in _TEXT_MARKERS:
            if text[found.start() - 1 : found.start()] == "`" and (close := marks.find("`", at)) >= 0:
                at = close + 1
                continue
            return _FIXED.get(mark) or _SHARED[mark](text[found.end() : content_end(text)])
        closer = PAIRS.get(mark, FENCE)
        close = marks.find(closer, at)
        at = close + len(closer) if close >= 0 else at
    return next((name for closer, name in _CLOSERS.items() if text.find(closer, start) >= 0), None)


@cache
def _pattern() -> re.Pattern[str]:
    """Finds the next opening marker of calls, reasoning or code, the longest where several begin."""
    marks = sorted({*_TEXT_MARKERS, *PAIRS}, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, marks), "`{3,}"]))


def _tool_call(behind: str) -> str:
    """`<tool_call>`: an object is Hermes, a list Granite 3.1, a function tag Qwen3-Coder, a word GLM."""
    inner = behind.lstrip()
    if inner.startswith("["):
        return "xlam" if "</tool_call>" in inner else "granite"
    if inner.startswith("<function"):
        return "qwen3_coder"
    return "glm45" if re.match(r"[\w./:-]+\s*<(?:arg_key>|/tool_call>)", inner) else "hermes"


def _pipe_tool_call(behind: str) -> str:
    """`<|tool_call|>`: with its closing tag, or with an object right behind it, Phi-4-mini; else Granite 3."""
    return "phi4_mini_json" if "<|/tool_call|>" in behind or behind.startswith(("{", "[{")) else "granite"


def _deepseek(behind: str) -> str:
    """DeepSeek's tokens: V3 writes `function` in front of the first separator, V3.1 the name."""
    head = behind.partition("<｜tool▁sep｜>")[0].replace("<｜tool▁call▁begin｜>", "").strip()
    return "deepseek_v3" if head == "function" else "deepseek_v31"


_SHARED: dict[str, Callable[[str], str]] = {
    "<tool_call>": _tool_call,
    "<|tool_call|>": _pipe_tool_call,
    "<｜tool▁calls▁begin｜>": _deepseek,
    "<｜tool▁call▁begin｜>": _deepseek,
}

_TEMPLATE_MARKERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("<tool_use>",), "native"),
    (("｜DSML｜", "tool_calls>"), "deepseek_v4"),
    (("｜DSML｜",), "deepseek_v32"),
    (("<｜tool▁calls▁begin｜>", "```json"), "deepseek_v3"),
    (("<｜tool▁calls▁begin｜>",), "deepseek_v31"),
    (("<|tool_calls_section_begin|>",), "kimi_k2"),
    (("minimax:tool_call",), "minimax_m2"),
    (("<start_function_call>",), "functiongemma"),
    (("<|tool_call>",), "gemma4"),
    (("<|channel|>", "functions"), "harmony"),
    (("<arg_key>",), "glm45"),
    (("<function=", "<parameter="), "qwen3_coder"),
    (("[TOOL_CALLS]", "[ARGS]"), "mistral_v13"),
    (("[TOOL_CALLS]",), "mistral"),
    (("<|tool_call_start|>",), "lfm2"),
    (("<function_calls>",), "olmo3"),
    (("<function_call>",), "granite_20b_fc"),
    (("<|python_start|>",), "llama4_pythonic"),
    (("functools",), "phi4_mini_json"),
    (("<|/tool_call|>",), "phi4_mini_json"),
    (("<|/tool|>",), "phi4_mini_json"),
    (("<|tool_call|>",), "granite"),
    (("<|python_tag|>",), "llama3_json"),
    (("<|start_header_id|>", '"parameters"'), "llama3_json"),
    (("<tool_call>",), "hermes"),
    (("<start_of_turn>",), "gemma3"),
)


def detect_format(chat_template: str) -> str | None:
    """The format that a chat template writes calls in, by the first row of the table whose markers it has, or None."""
    for markers, name in _TEMPLATE_MARKERS:
        if all(marker in chat_template for marker in markers):
            return name
    return None
