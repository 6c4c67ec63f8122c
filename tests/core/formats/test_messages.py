"""Conversations as chat templates take them."""

from pytest_mcpbench.core.case import Message, Tool, ToolCall
from pytest_mcpbench.core.formats.messages import message_objects, tool_object


def test_earlier_calls_and_their_results_carry_matching_ids():
    turns = [
        Message(role="user", content="Read both."),
        Message(role="assistant", calls=(ToolCall(name="read", arguments={"path": "a"}), ToolCall(name="read"))),
        Message(role="tool", name="read", content="1"),
        Message(role="tool", name="read", content="2"),
        Message(role="assistant", content="Done.", calls=(ToolCall(name="now"),)),
        Message(role="tool", content="12:00"),
    ]
    objects = message_objects(turns)
    ids = [call["id"] for turn in objects for call in turn.get("tool_calls", ())]
    assert ids == ["call_0000", "call_0001", "call_0002"]
    assert [turn["tool_call_id"] for turn in objects if turn["role"] == "tool"] == ids
    assert objects[1]["tool_calls"][0]["function"] == {"name": "read", "arguments": {"path": "a"}}
    assert objects[2]["name"] == "read"
    assert objects[0] == {"role": "user", "content": "Read both."}


def test_a_tool_takes_openais_form():
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    assert tool_object(Tool(name="read", description="Read.", input_schema=schema)) == {
        "type": "function",
        "function": {"name": "read", "description": "Read.", "parameters": schema},
    }
    assert tool_object(Tool(name="now"))["function"]["parameters"] == {"type": "object", "properties": {}}
