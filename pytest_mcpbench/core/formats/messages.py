"""Tools and conversations as the dictionaries that chat templates and chat APIs take."""

from collections.abc import Sequence
from typing import Any

from pytest_mcpbench.core.case import Message, Tool


def tool_object(tool: Tool) -> dict[str, Any]:
    """The tool in the form of OpenAI's `tools` and of `apply_chat_template(tools=…)`."""
    schema = dict(tool.input_schema) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": schema},
    }


def message_objects(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages with earlier calls as `tool_calls`, their arguments as objects, which templates expect.

    A call's id is `call_` and four digits, its number in the conversation; the results that follow take the ids of
    the calls before them in order, so that templates that pair them by id can.
    """
    objects: list[dict[str, Any]] = []
    count = 0
    open_ids: list[str] = []
    for message in messages:
        turn: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.calls:
            open_ids = [f"call_{number:04d}" for number in range(count, count + len(message.calls))]
            count += len(open_ids)
            turn["tool_calls"] = [
                {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": dict(call.arguments)}}
                for call_id, call in zip(open_ids, message.calls, strict=True)
            ]
        if message.role == "tool" and open_ids:
            turn["tool_call_id"] = open_ids.pop(0)
        if message.name is not None:
            turn["name"] = message.name
        objects.append(turn)
    return objects
