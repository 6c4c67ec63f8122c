"""From a request to the exact text a model reads, and from calls to the exact text it should write.

Training and evaluation both go through here, so the bytes they use are the same.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pytest_mcpbench.core.case import Case, Message, Tool
from pytest_mcpbench.core.formats import Format
from pytest_mcpbench.core.formats.base import uses_own_template
from pytest_mcpbench.core.formats.messages import message_objects, tool_object
from pytest_mcpbench.core.plan import Request
from pytest_mcpbench.errors import ModelError

NO_CALL_ANSWER = "No tool applies here."
"""What training renders for a case that expects no call and carries no `answer` of its own."""

PLAIN_STOPS = ("\nUser:", "\nAssistant:", "\nTool:")
"""Where a model without a chat template has begun to invent the next turn."""


class ChatTokenizer(Protocol):
    """The part of a transformers tokenizer that prompts need."""

    chat_template: Any
    eos_token: str | None

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> Any:
        """The conversation as one string."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What one model reads for one request. `stops` end its answer; `key` is the request's."""

    key: str
    text: str
    stops: tuple[str, ...] = ()
    adds_bos: bool = True
    """Whether the tokenizer has to put its beginning-of-text token in front; a chat template writes its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStyle:
    """How a model is prompted: its format, how much of the schemas it sees, and its tokenizer if it has a template."""

    fmt: Format
    detail: Literal["line", "schema"] = "line"
    tokenizer: ChatTokenizer | None = None

    @property
    def templated(self) -> bool:
        """Whether the tokenizer's own chat template renders the conversation."""
        return self.tokenizer is not None and bool(self.tokenizer.chat_template)


def build_prompt(request: Request, style: PromptStyle) -> Prompt:
    """The prompt for a request. It never ends in white space unless the chat template itself does.

    A chat template of the format's own family offers the tools itself; otherwise the system text does.
    """
    if style.templated and uses_own_template(style.fmt):
        return Prompt(key=request.key, text=_with_own_tools(request, style), adds_bos=False)
    turns = _with_instructions(request.messages, request.tools, style)
    if style.templated:
        return Prompt(key=request.key, text=_templated(turns, style), adds_bos=False)
    return Prompt(key=request.key, text=_plain(turns, style.fmt), stops=PLAIN_STOPS)


def prompt_digest(style: PromptStyle) -> str:
    """Twelve hexadecimal digits of what decides how any request is put to a model, its tokens and weights aside.

    The template's source is taken, not a text made with it: some templates write today's date.
    """
    probe = Tool(name="probe", description="A tool.", input_schema={"properties": {"x": {"type": "string"}}})
    template = style.tokenizer.chat_template if style.tokenizer is not None and style.templated else None
    decides = [style.fmt.name, json.dumps(template, sort_keys=True, default=str)]
    if not (style.templated and uses_own_template(style.fmt)):
        decides += [
            style.detail,
            style.fmt.instructions([probe], style.detail),
            _plain([Message(role="user", content="")], style.fmt),
        ]
    return hashlib.sha256("\0".join(decides).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def completion_text(case: Case, style: PromptStyle) -> str:
    """What the model should write after the prompt, without its end-of-text token: the canonical calls or words."""
    calls = [expected.call for expected in case.expected]
    answer = style.fmt.render(calls) if calls else (case.answer or NO_CALL_ANSWER)
    return answer if style.templated else f" {answer}"


def encode_prompt(tokenizer: Any, prompt: Prompt) -> list[int]:
    """The prompt's token ids, without padding, and with the beginning-of-text token exactly once where one belongs."""
    return encode_prompts(tokenizer, [prompt])[0]


def encode_prompts(tokenizer: Any, prompts: Sequence[Prompt]) -> list[list[int]]:
    """The token ids of each prompt, as `encode_prompt` gives them; a fast tokenizer reads them all at once.

    Padding and truncation are set on the call because a fast tokenizer keeps those of the call before.
    """
    found: list[list[int]] = [[] for _ in prompts]
    for adds_bos in (False, True):
        chosen = [at for at, prompt in enumerate(prompts) if prompt.adds_bos == adds_bos]
        texts = [prompts[at].text for at in chosen]
        for at, ids in zip(chosen, _all_ids(tokenizer, texts, adds_bos=adds_bos), strict=True):
            found[at] = _with_one_bos(ids, tokenizer, adds_bos=adds_bos)
    return found


_FIRST = 16
"""So many texts are read both ways, before the many behind them are read the fast way."""


def _all_ids(tokenizer: Any, texts: Sequence[str], *, adds_bos: bool) -> list[list[int]]:
    """The ids of the texts. Many are read by the Rust tokenizer directly, on all cores, if it reads the first alike."""

    def usual(part: Sequence[str]) -> list[list[int]]:
        if not part:
            return []
        encoded = tokenizer(list(part), add_special_tokens=adds_bos, padding=False, truncation=False)
        return [[int(token) for token in ids] for ids in encoded["input_ids"]]

    first = usual(texts[:_FIRST])
    read_all = getattr(getattr(tokenizer, "backend_tokenizer", None), "encode_batch_fast", None)
    if read_all is None or len(texts) <= _FIRST:
        return [*first, *usual(texts[_FIRST:])]
    # The call for the first ones has switched padding and truncation off.
    if [list(one.ids) for one in read_all(list(texts[:_FIRST]), add_special_tokens=adds_bos)] != first:
        return [*first, *usual(texts[_FIRST:])]
    return [*first, *(list(one.ids) for one in read_all(list(texts[_FIRST:]), add_special_tokens=adds_bos))]


def _with_one_bos(ids: list[int], tokenizer: Any, *, adds_bos: bool) -> list[int]:
    if adds_bos and len(ids) > 1 and ids[-1] == tokenizer.eos_token_id != tokenizer.bos_token_id:
        ids.pop()  # some tokenizers close every text, and nothing would follow
    if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:
        del ids[0]
    return ids


def _with_own_tools(request: Request, style: PromptStyle) -> str:
    """The conversation and the tools through the template. Raises ModelError if it leaves a tool or the request out."""
    assert style.tokenizer is not None, "only a tokenizer has a template"
    try:
        text = str(
            style.tokenizer.apply_chat_template(
                message_objects(request.messages),
                tools=[tool_object(tool) for tool in request.tools],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
        )
    except Exception as error:  # a template raises what it likes
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(f"the chat template cannot render this conversation with its tools ({reason})") from error
    dropped = next((tool.name for tool in request.tools if tool.name not in text), None)
    if dropped is not None:
        raise ModelError(
            f"the chat template leaves the tool {dropped!r} out; offer it in the system text: --mcp-format=native"
        )
    return text


def _with_instructions(messages: Sequence[Message], tools: Sequence[Tool], style: PromptStyle) -> list[Message]:
    instructions = style.fmt.instructions(tools, style.detail)
    turns = list(messages)
    if turns and turns[0].role == "system":
        turns[0] = Message(role="system", content=f"{turns[0].content}\n\n{instructions}")
        return turns
    return [Message(role="system", content=instructions), *turns]


def _templated(turns: Sequence[Message], style: PromptStyle) -> str:
    """The conversation through the tokenizer's chat template, its system text in it for certain.

    Some templates refuse a system turn and some drop it; for those the text opens the first user turn. Templates
    that let a model think first are told not to: the answer's tokens are meant for calls.
    Raises ModelError for a template that cannot say the conversation at all.
    """
    for attempt in (turns, _folded(turns)):
        try:
            text = _render_turns(attempt, style)
        except Exception as error:  # a template raises what it likes
            reason = " ".join(f"{type(error).__name__}: {error}".split())
        else:
            if turns[0].content.strip() in text:
                return text
            reason = "it drops the system text"
    raise ModelError(f"the chat template cannot render this conversation ({reason})")


def _render_turns(turns: Sequence[Message], style: PromptStyle) -> str:
    assert style.tokenizer is not None, "only a tokenizer has a template"
    dicts = [_turn_dict(turn, style.fmt) for turn in turns]
    return str(
        style.tokenizer.apply_chat_template(dicts, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    )


def _folded(turns: Sequence[Message]) -> list[Message]:
    """The turns without a system turn: its text opens the first turn of the user, or is one."""
    system, rest = turns[0].content, list(turns[1:])
    if rest and rest[0].role == "user":
        return [Message(role="user", content=f"{system}\n\n{rest[0].content}"), *rest[1:]]
    return [Message(role="user", content=system), *rest]


def _content(turn: Message, fmt: Format) -> str:
    return "\n".join(part for part in (turn.content, fmt.render(turn.calls) if turn.calls else "") if part)


def _turn_dict(turn: Message, fmt: Format) -> dict[str, Any]:
    named = {"name": turn.name} if turn.name else {}
    return {"role": turn.role, "content": _content(turn, fmt), **named}


def _plain(turns: Sequence[Message], fmt: Format) -> str:
    speakers = {"user": "User: ", "assistant": "Assistant: ", "tool": "Tool: ", "system": ""}
    parts = [f"{speakers[turn.role]}{_content(turn, fmt)}" for turn in turns]
    return "\n".join([parts[0] + "\n", *parts[1:], "Assistant:"])
