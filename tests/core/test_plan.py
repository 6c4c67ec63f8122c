from dataclasses import replace
from typing import Any

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool, ToolCall
from pytest_mcpbench.core.plan import plan, request_of

READ = Tool(name="read", input_schema={"properties": {"path": {}, "limit": {}}})
GREP = Tool(name="grep")
HELLO = Message(role="user", content="hello")


def case_of(case_id: str, **changes: Any) -> Case:
    base = Case(id=case_id, messages=(HELLO,), tools=(READ, GREP), alternatives=((ExpectedCall(name="read"),),))
    return replace(base, **changes)


def keys(*cases: Case) -> set[str]:
    return {request.key for request in plan(cases).values()}


def test_every_case_has_its_request_and_knows_its_case() -> None:
    requests = plan([case_of("a"), case_of("b", tools=(GREP,))])
    assert [(case_id, request.case_id) for case_id, request in requests.items()] == [("a", "a"), ("b", "b")]
    assert requests["b"].tools == (GREP,)
    assert requests["a"].messages == (HELLO,)


def test_cases_that_ask_the_same_share_one_key_whatever_they_expect() -> None:
    other = case_of("b", alternatives=((),), tags=frozenset({"x"}), tools=(replace(READ), replace(GREP)))
    assert len(keys(case_of("a"), other)) == 1


def test_whatever_a_model_could_see_makes_another_key() -> None:
    reordered = replace(READ, input_schema={"properties": {"limit": {}, "path": {}}})
    earlier = Message(role="assistant", calls=(ToolCall(name="read", arguments={"path": "a"}),))
    variants = [
        case_of("plain"),
        case_of("words", messages=(replace(HELLO, content="hello "),)),
        case_of("role", messages=(replace(HELLO, role="assistant"),)),
        case_of("turn", messages=(HELLO, HELLO)),
        case_of("call", messages=(earlier, HELLO)),
        case_of("value", messages=(replace(earlier, calls=(ToolCall(name="read", arguments={"path": 1}),)), HELLO)),
        case_of("named", messages=(Message(role="tool", content="hello", name="read"),)),
        case_of("unnamed", messages=(Message(role="tool", content="hello"),)),
        case_of("tools", tools=(GREP, READ)),
        case_of("fewer", tools=(READ,)),
        case_of("about", tools=(replace(READ, description="Reads."), GREP)),
        case_of("alias", tools=(replace(READ, aliases=("Read",)), GREP)),
        case_of("order", tools=(reordered, GREP)),
    ]
    assert len(keys(*variants)) == len(variants)


def test_a_request_made_by_hand_has_the_key_of_the_plan() -> None:
    assert request_of([HELLO], [READ, GREP]).key == plan([case_of("a")])["a"].key


def test_a_lone_surrogate_in_the_prompt_is_no_obstacle() -> None:
    assert len(keys(case_of("a", messages=(Message(role="user", content="\ud800"),)), case_of("b"))) == 2
