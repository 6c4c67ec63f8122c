"""A prompt's token ids: one beginning of text, and no padding."""

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="needs the extra hf")

from pytest_mcpbench.core.formats import get_format  # behind the importorskip
from pytest_mcpbench.models.prompt import PromptStyle, build_prompt, encode_prompt
from tests.models.tiny import ask, tiny_tokenizer

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}<assistant>"


@pytest.mark.parametrize(("bos", "starts"), [(True, [0]), (False, [])])
def test_the_beginning_of_text_stands_in_front_exactly_once(bos: bool, starts: list[int]) -> None:
    tokenizer = tiny_tokenizer(bos=bos)
    prompt = build_prompt(ask("hi"), PromptStyle(fmt=get_format("native")))
    ids = encode_prompt(tokenizer, prompt)
    assert ids == starts + tokenizer(prompt.text, add_special_tokens=False)["input_ids"]
    doubled = replace(prompt, text="<bos>" + prompt.text)
    assert encode_prompt(tokenizer, doubled)[:2].count(0) == 1


def test_a_template_that_writes_its_own_beginning_gets_no_second_one() -> None:
    tokenizer = tiny_tokenizer(template="<bos>" + TEMPLATE)
    prompt = build_prompt(ask("hi"), PromptStyle(fmt=get_format("native"), tokenizer=tokenizer))
    assert encode_prompt(tokenizer, prompt)[:2].count(0) == 1


def test_a_batched_call_leaves_no_padding_behind() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "<eos>"
    prompt = build_prompt(ask("hi"), PromptStyle(fmt=get_format("native")))
    before = encode_prompt(tokenizer, prompt)
    tokenizer(["a" * 4000, "b"], padding=True)
    assert encode_prompt(tokenizer, prompt) == before
