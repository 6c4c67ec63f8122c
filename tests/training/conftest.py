"""A tiny causal model with a tokenizer of its own, and 29 rows for it to learn."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import ByteLevelBPETokenizer

TOOLS = [
    {
        "name": "read",
        "description": "Read a file.",
        "inputSchema": {"type": "object", "properties": {"file_path": {"type": "string"}}, "required": ["file_path"]},
    },
    {
        "name": "bash",
        "description": "Run a command.",
        "inputSchema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
]
FILES = (
    "setup.py",
    "a.txt",
    "src/main.rs",
    "README.md",
    "go.mod",
    "lib/x.ts",
    "notes.md",
    "b.json",
    "Makefile",
    ".env",
)
COMMANDS = ("ls", "git status", "make test", "pytest -q", "npm ci", "df -h", "pwd", "uptime", "git log", "cargo check")
TALK = (
    *("hello", "thanks", "what is a closure?", "who are you?", "is rust fast?"),
    *("nice work", "what is yaml?", "good night", "ok"),
)


def row(case_id: str, prompt: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": case_id, "prompt": prompt, "tools": TOOLS, "expected": expected}


def call_rows(name: str, words: str, argument: str, values: Sequence[str]) -> list[dict[str, Any]]:
    return [
        row(f"{name}-{i}", f"{words} {value}", [{"name": name, "arguments": {argument: value}}])
        for i, value in enumerate(values)
    ]


def rows_29() -> list[dict[str, Any]]:
    talk = [row(f"none-{i}", text, []) for i, text in enumerate(TALK)]
    return [*call_rows("read", "show me", "file_path", FILES), *call_rows("bash", "run", "command", COMMANDS), *talk]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "train.jsonl", rows_29())


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A folder with a small random model of a family and a byte-level tokenizer trained on the rows' own prompts."""
    made: dict[tuple[str, int, bool], Path] = {}

    def make(family: str = "llama", *, hidden: int = 64, template: bool = False) -> Path:
        key = (family, hidden, template)
        if key not in made:
            folder = tmp_path_factory.mktemp(f"{family}{hidden}")
            tokenizer = small_tokenizer(template=template)
            small_network(family, hidden, len(tokenizer)).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            made[key] = folder
        return made[key]

    return make


def small_tokenizer(*, template: bool) -> Any:
    system = (
        "You can call tools. To call one, write <tool_use>tool_name(param1='value1', n=3)</tool_use>, one block for "
        "each call. If no tool applies, answer in plain words.\nTools:\n- read(file_path): Read a file.\n"
        "- bash(command): Run a command.\n\nUser: show me\nAssistant: <tool_use>read(file_path='')</tool_use>"
    )
    texts = [*(json.dumps(item) for item in rows_29()), *[f"{system} No tool applies here."] * 20]
    turns = ["<|im_start|>", "<|im_end|>"]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(texts, vocab_size=500, show_progress=False, special_tokens=["<s>", "</s>", "<pad>", *turns])
    tokenizer: Any = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    if template:
        tokenizer.add_special_tokens({"additional_special_tokens": turns})
        tokenizer.chat_template = (
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        )
    return tokenizer


def small_network(family: str, hidden: int, vocabulary: int) -> Any:
    torch.manual_seed(0)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "initializer_range": hidden**-0.5,
        "pad_token_id": 2,
    }
    if family == "gemma3":
        config = transformers.Gemma3TextConfig(
            **sizes, head_dim=16, sliding_window=16, layer_types=["sliding_attention", "full_attention"]
        )
        network: Any = transformers.Gemma3ForCausalLM(config)
    else:
        network = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
    # A random output layer this small could never make one token likely, whatever stands in front of it.
    with torch.no_grad():
        network.get_input_embeddings().weight.normal_(std=0.5)
        network.get_output_embeddings().weight.normal_(std=0.5)
    return network
