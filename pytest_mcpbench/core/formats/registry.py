"""Every wire format by its name. A family's module is imported when its format is first asked for."""

from importlib import import_module

from pytest_mcpbench.core.formats.base import Format
from pytest_mcpbench.errors import FormatError

FAMILIES = {
    "auto": "auto:Auto",
    "native": "native:Native",
    "hermes": "hermes:Hermes",
    "qwen3_coder": "qwen3_coder:Qwen3Coder",
    "llama3_json": "llama3:Llama3Json",
    "pythonic": "pythonic:Pythonic",
    "llama4_pythonic": "pythonic:Llama4Pythonic",
    "olmo3": "pythonic:Olmo3",
    "lfm2": "pythonic:Lfm2",
    "phi4_mini_json": "phi4:Phi4MiniJson",
    "mistral": "mistral:Mistral",
    "mistral_v13": "mistral:MistralArgs",
    "functiongemma": "gemma:FunctionGemma",
    "gemma3": "gemma3:Gemma3",
    "gemma4": "gemma:Gemma4",
    "granite": "granite:Granite",
    "granite_20b_fc": "granite:Granite20bFc",
    "deepseek_v3": "sections:DeepSeekV3",
    "deepseek_v31": "sections:DeepSeekV31",
    "deepseek_v32": "dsml:DeepSeekV32",
    "deepseek_v4": "dsml:DeepSeekV4",
    "kimi_k2": "sections:KimiK2",
    "glm45": "glm:Glm45",
    "harmony": "harmony:Harmony",
    "xlam": "xlam:Xlam",
    "minimax_m2": "minimax:MiniMaxM2",
    "openai_chat": "objects:OpenAiChat",
    "openai_responses": "objects:OpenAiResponses",
    "anthropic": "objects:Anthropic",
}
"""Each format's module and class."""

ALIASES = {
    "qwen2.5": "hermes",
    "qwen25": "hermes",
    "qwen3": "hermes",
    "granite4": "hermes",
    "qwen3_xml": "qwen3_coder",
    "llama3": "llama3_json",
    "llama4_json": "llama3_json",
    "llama3_2_pythonic": "pythonic",
    "toolace": "pythonic",
    "phi4_mini": "phi4_mini_json",
    "phi4mini": "phi4_mini_json",
    "mistral_v7": "mistral",
    "mistral_v11": "mistral_v13",
    "granite3": "granite",
    "granite-20b-fc": "granite_20b_fc",
    "deepseek_r1": "deepseek_v3",
    "deepseekv3": "deepseek_v3",
    "deepseekv31": "deepseek_v31",
    "deepseekv32": "deepseek_v32",
    "glm4": "glm45",
    "glm4_moe": "glm45",
    "glm47": "glm45",
    "gpt_oss": "harmony",
    "gpt-oss": "harmony",
    "openai": "harmony",
    "kimi": "kimi_k2",
    "minimax": "minimax_m2",
    "lfm2.5": "lfm2",
    "olmo": "olmo3",
    "openai_tools": "openai_chat",
    "tool_use": "anthropic",
}
"""Other names, among them vLLM's where it differs (`openai` is its name for gpt-oss's harmony)."""

_loaded: dict[str, Format] = {}


def register(fmt: Format) -> None:
    """Make a format known under its name. Raises FormatError if another has that name."""
    name = fmt.name
    if name in FAMILIES or name in ALIASES or _loaded.get(name, fmt) is not fmt:
        raise FormatError(f"a format named {name!r} exists already; give yours another name")
    _loaded[name] = fmt


def get_format(name: str) -> Format:
    """The format of that name or alias. Raises FormatError, with the names there are, for an unknown one."""
    known = ALIASES.get(name, name)
    if known not in _loaded:
        if known not in FAMILIES:
            raise FormatError(f"unknown format {name!r}; take one of: {', '.join(format_names())}")
        module, class_name = FAMILIES[known].split(":")
        _loaded[known] = getattr(import_module(f"pytest_mcpbench.core.formats.{module}"), class_name)()
    return _loaded[known]


def format_names() -> list[str]:
    """`auto` and the names of all formats, registered ones included, without aliases."""
    return sorted({*FAMILIES, *_loaded}, key=lambda name: (name != "auto", name))
