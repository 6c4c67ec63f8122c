"""Well-formed answers of every family, in the spellings that its engines accept, with the calls they hold."""

# ruff: noqa: E501, RUF001 - answers are shown as models write them, DeepSeek's with full-width bars

from dataclasses import dataclass
from typing import Any

from pytest_mcpbench.core.case import Tool, ToolCall

TOOLS = (
    Tool(
        name="read",
        input_schema={
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "limit": {"type": "integer"},
                "ratio": {"type": "number"},
                "deep": {"type": "boolean"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "tags": {"type": "array"},
                "options": {"type": "object"},
            },
        },
    ),
    Tool(name="now", input_schema={"type": "object", "properties": {}}),
)


def call(name: str, /, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


READ = call("read", path="a b.py", limit=3)
NOW = call("now")
RICH = call("read", path="ü", limit=-1, ratio=2.5, deep=True, note=None, tags=["a", 1, []], options={"k": {"v": None}})


@dataclass(frozen=True, slots=True)
class Answer:
    """A text, the format it is in, what it holds, and the format that auto takes it for if that has another name."""

    fmt: str
    text: str
    calls: tuple[ToolCall, ...]
    auto: str | None = ""

    @property
    def auto_name(self) -> str | None:
        return self.fmt if self.auto == "" else self.auto


RICH_JSON = '{"path": "ü", "limit": -1, "ratio": 2.5, "deep": true, "note": null, "tags": ["a", 1, []], "options": {"k": {"v": null}}}'
RICH_PYTHON = "path='ü', limit=-1, ratio=2.5, deep=True, note=None, tags=['a', 1, []], options={'k': {'v': None}}"
READ_JSON = '{"name": "read", "arguments": {"path": "a b.py", "limit": 3}}'
READ_PARAMETERS = '{"name": "read", "parameters": {"path": "a b.py", "limit": 3}}'
NOW_JSON = '{"name": "now", "arguments": {}}'
READ_ARGS = '{"path": "a b.py", "limit": 3}'

ANSWERS = (
    # native
    Answer("native", "<tool_use>read(path='a b.py', limit=3)</tool_use>", (READ,)),
    Answer("native", 'Sure.\n<tool_use>\n read( path = "a b.py" , limit = 3 , )\n</tool_use>\nDone.', (READ,)),
    Answer("native", f"<tool_use>read({RICH_PYTHON})</tool_use><tool_use>now()</tool_use>", (RICH, NOW)),
    Answer("native", "<tool_use>read(deep=true, note=null)</tool_use>", (call("read", deep=True, note=None),)),
    Answer("native", "<tool_use>read(path='''a\n</tool_use>''')</tool_use>", (call("read", path="a\n</tool_use>"),)),
    Answer(
        "native",
        r"<tool_use>read(path='it\'s', note='\u00fc\x41\101' 'b' r'\d')</tool_use>",
        (call("read", path="it's", note="üAAb\\d"),),
    ),
    # hermes
    Answer("hermes", f"<tool_call>\n{READ_JSON}\n</tool_call>", (READ,)),
    Answer("hermes", f"<tool_call>{READ_JSON}</tool_call><|im_end|>", (READ,)),
    Answer(
        "hermes",
        f"I will look.\n\n<tool_call>\r\n{READ_JSON}\r\n</tool_call>\n<tool_call>\n{NOW_JSON}\n</tool_call><|im_end|>\n",
        (READ, NOW),
    ),
    Answer(
        "hermes",
        f"<think>\nShould I call <tool_call>{NOW_JSON}</tool_call>?\n</think>\n\n<tool_call>\n{READ_JSON}\n</tool_call>",
        (READ,),
    ),
    Answer(
        "hermes", f"The prompt opened this thought. {NOW_JSON}</think>\n<tool_call>{READ_JSON}</tool_call>", (READ,)
    ),
    Answer(
        "hermes",
        '<tool_call>{"arguments": {"path": "</tool_call>"}, "name": "read"}</tool_call>',
        (call("read", path="</tool_call>"),),
    ),
    Answer(
        "hermes",
        '<tool_call> {"name": "read", "arguments": "{\\"path\\": \\"x\\"}"} </tool_call>',
        (call("read", path="x"),),
    ),
    Answer("hermes", f'<tool_call>{{"name": "read", "arguments": {RICH_JSON}}}</tool_call>', (RICH,)),
    Answer(
        "hermes",
        '<tool_call>{"name": "read", "arguments": {"note": "```\\n<think>"}}</tool_call>',
        (call("read", note="```\n<think>"),),
    ),
    # qwen3_coder
    Answer(
        "qwen3_coder",
        "<tool_call>\n<function=read>\n<parameter=path>\na b.py\n</parameter>\n<parameter=limit>\n3\n</parameter>\n</function>\n</tool_call>",
        (READ,),
    ),
    Answer(
        "qwen3_coder",
        "<tool_call><function=read><parameter=path>a b.py</parameter><parameter=limit>3</parameter></function></tool_call>",
        (READ,),
    ),
    Answer(
        "qwen3_coder",
        "Let me see.\n<function=read>\n<parameter=path>\na b.py\n</parameter>\n<parameter=limit>\n3\n</parameter>\n</function>\n</tool_call>",
        (READ,),
    ),
    Answer(
        "qwen3_coder",
        "<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>",
        (NOW, NOW),
    ),
    Answer(
        "qwen3_coder",
        "<tool_call>\n<function=read>\n<parameter=path>\n\n a\n\n</parameter>\n<parameter=note>\nnull\n</parameter>\n</function>\n</tool_call>",
        (call("read", path="\n a\n", note=None),),
    ),
    Answer(
        "qwen3_coder",
        "<tool_call><function=read><parameter=path>3</parameter><parameter=deep>True</parameter><parameter=options>{'k': [1]}</parameter><parameter=tags>[\"</parameter>\", 2]</parameter></function></tool_call>",
        (call("read", path="3", deep=True, options={"k": [1]}, tags=["</parameter>", 2]),),
    ),
    Answer(
        "qwen3_coder",
        "<tool_call><function=read><parameter=limit>soon</parameter><parameter=other>7</parameter></function></tool_call>",
        (call("read", limit="soon", other="7"),),
    ),
    # llama3_json
    Answer("llama3_json", READ_PARAMETERS, (READ,)),
    Answer("llama3_json", f"\n\n{READ_JSON}<|eot_id|>", (READ,)),
    Answer("llama3_json", f'{READ_PARAMETERS}; {{"name": "now", "parameters": {{}}}}', (READ, NOW)),
    Answer("llama3_json", f"{READ_PARAMETERS};{NOW_JSON} ;\n{NOW_JSON}", (READ, NOW, NOW)),
    Answer("llama3_json", f"{READ_PARAMETERS}\n{NOW_JSON}", (READ, NOW)),
    Answer("llama3_json", f"<|python_tag|>{READ_PARAMETERS}<|eom_id|>", (READ,)),
    Answer("llama3_json", f"I will call it. <|python_tag|>{READ_PARAMETERS}; {NOW_JSON}<|eom_id|>", (READ, NOW)),
    Answer(
        "llama3_json",
        '{"type": "function", "name": "read", "parameters": {"note": "```x``` <think> {a} ; [b]"}}',
        (call("read", note="```x``` <think> {a} ; [b]"),),
    ),
    Answer(
        "llama3_json", '<|python_tag|>brave_search.call(query="a b")<|eom_id|>', (call("brave_search", query="a b"),)
    ),
    # pythonic
    Answer("pythonic", "[read(path='a b.py', limit=3)]", (READ,)),
    Answer("pythonic", f"[read({RICH_PYTHON}), now()]<|eot_id|>", (RICH, NOW)),
    Answer("pythonic", "\n[ now( ) ,\n now() ]\n", (NOW, NOW)),
    Answer("pythonic", "<think>[now()]</think>[spotify.play(artist='A]B')]", (call("spotify.play", artist="A]B"),)),
    Answer("pythonic", "<|python_start|>[read(path='a b.py', limit=3)]<|python_end|>", (READ,), "llama4_pythonic"),
    Answer("llama4_pythonic", "Yes. <|python_start|>[read(path='a b.py', limit=3), now()]<|eot|>", (READ, NOW)),
    Answer("llama4_pythonic", "[now()]", (NOW,), "pythonic"),
    Answer("olmo3", "<function_calls>read(path='a b.py', limit=3)</function_calls>", (READ,)),
    Answer(
        "olmo3", "<function_calls>\nread(path='a b.py',\n limit=3)\nnow()\n</function_calls><|im_end|>", (READ, NOW)
    ),
    Answer("lfm2", "<|tool_call_start|>[read(path='a b.py', limit=3)]<|tool_call_end|>Looking.<|im_end|>", (READ,)),
    Answer("lfm2", f"<|tool_call_start|> [{READ_JSON}] <|tool_call_end|>", (READ,)),
    # phi4_mini_json
    Answer("phi4_mini_json", f"<|tool_call|>[{READ_JSON}]<|/tool_call|>", (READ,)),
    Answer("phi4_mini_json", f"<|tool_call|>[{READ_JSON}, {NOW_JSON}]<|/tool_call|><|end|>", (READ, NOW)),
    Answer("phi4_mini_json", f"<|tool_call|>[{READ_PARAMETERS}]", (READ,)),
    Answer("phi4_mini_json", f"<|tool_call|>{READ_JSON}<|/tool_call|>", (READ,)),
    Answer(
        "phi4_mini_json", f"<|tool_call|>{READ_JSON}<|/tool_call|><|tool_call|>{NOW_JSON}<|/tool_call|>", (READ, NOW)
    ),
    Answer("phi4_mini_json", f"<|tool_call|>{READ_JSON}", (READ,)),
    Answer("phi4_mini_json", f"<|tool_call|>{READ_JSON}, {NOW_JSON}<|/tool_call|>", (READ, NOW)),
    Answer("phi4_mini_json", f"<|tool_call|>[{READ_JSON}<|/tool_call|>", (READ,)),
    Answer("phi4_mini_json", f"functools[{READ_JSON}]", (READ,)),
    Answer("phi4_mini_json", f"One moment.\nfunctools[\n  {READ_JSON},\n  {NOW_JSON}\n]\nAnything else?", (READ, NOW)),
    # mistral
    Answer("mistral", f"[TOOL_CALLS][{READ_JSON}]", (READ,)),
    Answer("mistral", f"Hello[TOOL_CALLS]  [ {READ_JSON} , {NOW_JSON} ]</s>", (READ, NOW)),
    Answer(
        "mistral",
        '[TOOL_CALLS] [{"arguments": {"name": "x"}, "name": "read", "id": "abcdefghi"}]\nAnd more.',
        (call("read", name="x"),),
    ),
    Answer("mistral", f"[TOOL_CALLS]read{READ_ARGS}", (READ,)),
    Answer("mistral", f"[TOOL_CALLS]read[ARGS]{READ_ARGS}[TOOL_CALLS]now[ARGS]{{}}</s>", (READ, NOW)),
    Answer("mistral", f"[TOOL_CALLS]read[CALL_ID]123456789[ARGS]{READ_ARGS}", (READ,)),
    Answer("mistral", f"[THINK][TOOL_CALLS]now[ARGS]{{}}[/THINK]hi{{hi[TOOL_CALLS]read[ARGS] {READ_ARGS}", (READ,)),
    Answer("mistral", f"[{READ_JSON}]", (READ,), "xlam"),
    # gemma
    Answer(
        "functiongemma",
        "<start_function_call>call:read{path:<escape>a b.py<escape>,limit:3}<end_function_call>",
        (READ,),
    ),
    Answer(
        "functiongemma",
        "<start_function_call>call:now{}<end_function_call><start_function_call>call:now{}<end_function_call><start_function_response>",
        (NOW, NOW),
    ),
    Answer(
        "functiongemma",
        "<start_function_call>call:read{path:<escape>ü<escape>,limit:-1,ratio:2.5,deep:true,note:null,tags:[<escape>a<escape>,1,[]],options:{k:{v:None}}}<end_function_call><end_of_turn>",
        (RICH,),
    ),
    Answer(
        "functiongemma",
        "<start_function_call> call:read{ path : <escape>{a}:,]<escape> , limit : 3 } <end_function_call>",
        (call("read", path="{a}:,]", limit=3),),
    ),
    Answer(
        "gemma4",
        '<|channel>thought\n<|tool_call>call:now{}<tool_call|>\n<channel|>Sure.<|tool_call>call:read{path:<|"|>a b.py<|"|>,limit:3}<tool_call|><|tool_response>',
        (READ,),
    ),
    Answer(
        "gemma4",
        '<|tool_call>call:read{options:{<|"|>3<|"|>:<|"|>x<|"|>}}<tool_call|><|tool_call>call:get-it.now{}<tool_call|><turn|>',
        (call("read", options={"3": "x"}), call("get-it.now")),
    ),
    Answer("gemma3", "[read(path='a b.py', limit=3)]<end_of_turn>", (READ,), "pythonic"),
    Answer("gemma3", READ_PARAMETERS, (READ,), "llama3_json"),
    Answer("gemma3", "```tool_code\nread(path='a b.py', limit=3)\nnow()\n```", (READ, NOW)),
    Answer("gemma3", "Let me.\n```tool_code\n[now()]\n```\n", (NOW,)),
    # granite
    Answer("granite", f"<|tool_call|> [{READ_JSON}]", (READ,)),
    Answer("granite", f"Let me see.\n<|tool_call|>[{NOW_JSON}, {READ_JSON}]\nDone.", (NOW, READ), "phi4_mini_json"),
    Answer("granite", f"<tool_call> [{READ_JSON}]", (READ,)),
    Answer("granite", f"<tool_call>[{READ_JSON}]</tool_call>", (READ,), "xlam"),
    Answer("granite_20b_fc", f"<function_call> {READ_JSON}\n<function_call> {NOW_JSON}<|endoftext|>", (READ, NOW)),
    Answer("granite_20b_fc", f"I see.\n<function_call>{READ_JSON}", (READ,)),
    # deepseek
    Answer(
        "deepseek_v3",
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read\n```json\n{READ_ARGS}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{{}}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
        (READ, NOW),
    ),
    Answer(
        "deepseek_v3",
        f"<think>x</think>Let me.<｜tool▁call▁begin｜>function<｜tool▁sep｜>read\n```json\n{READ_ARGS}\n```<｜tool▁call▁end｜>",
        (READ,),
    ),
    Answer(
        "deepseek_v31",
        f"text<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>read<｜tool▁sep｜>{READ_ARGS}<｜tool▁call▁end｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{{}}<｜tool▁call▁end｜><｜tool▁calls▁end｜> more",
        (READ, NOW),
    ),
    Answer(
        "deepseek_v32",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="read">\n<｜DSML｜parameter name="path" string="true">a b.py</｜DSML｜parameter>\n<｜DSML｜parameter name="limit" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="now">\n</｜DSML｜invoke>\n</｜DSML｜function_calls><｜end▁of▁sentence｜>',
        (READ, NOW),
    ),
    Answer(
        "deepseek_v32",
        'Yes. <｜DSML｜function_calls><｜DSML｜invoke name="read"><｜DSML｜parameter name="path" string="true">3</｜DSML｜parameter><｜DSML｜parameter name="limit">3</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜function_calls>',
        (call("read", path="3", limit=3),),
    ),
    Answer(
        "deepseek_v4",
        '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="now">\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>',
        (NOW,),
    ),
    # kimi, glm, harmony, xlam, minimax
    Answer(
        "kimi_k2",
        f"Hm. <|tool_calls_section_begin|><|tool_call_begin|>functions.read:0 <|tool_call_argument_begin|> {READ_ARGS} <|tool_call_end|><|tool_call_begin|>now:12\n<|tool_call_argument_begin|>{{}}<|tool_call_end|><|tool_calls_section_end|><|im_end|>",
        (READ, NOW),
    ),
    Answer(
        "kimi_k2",
        f"<|tool_call_begin|>functions.mcp__x__read:0<|tool_call_argument_begin|>{READ_ARGS}<|tool_call_end|>",
        (call("mcp__x__read", path="a b.py", limit=3),),
    ),
    Answer(
        "glm45",
        "<think>x</think>\nI look.\n<tool_call>read\n<arg_key>path</arg_key>\n<arg_value>a b.py</arg_value>\n<arg_key>limit</arg_key>\n<arg_value>3</arg_value>\n</tool_call><|observation|>",
        (READ,),
    ),
    Answer(
        "glm45",
        "<tool_call>read<arg_key>path</arg_key><arg_value>  a\n</arg_value><arg_key>limit</arg_key><arg_value>3</arg_value></tool_call>\n<tool_call>now</tool_call>",
        (call("read", path="  a\n", limit=3), NOW),
    ),
    Answer("glm45", "<tool_call>now\n</tool_call>", (NOW,)),
    Answer(
        "harmony",
        f"<|channel|>analysis<|message|>Call {NOW_JSON}?<|end|><|start|>assistant<|channel|>commentary to=functions.read <|constrain|>json<|message|>{READ_ARGS}<|call|>",
        (READ,),
    ),
    Answer(
        "harmony",
        f"<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=functions.read<|channel|>commentary json<|message|>{READ_ARGS}<|call|><|start|>assistant<|channel|>commentary to=functions.now<|message|>{{}}",
        (READ, NOW),
    ),
    Answer(
        "harmony",
        '<|channel|>commentary to=functions.read <|constrain|>json<|message|>{"note": "<|call|><|end|>"}',
        (call("read", note="<|call|><|end|>"),),
    ),
    Answer("xlam", f"[{READ_JSON}, {NOW_JSON}]", (READ, NOW)),
    Answer("xlam", f"<think>Hm.</think>[{READ_JSON}]", (READ,)),
    Answer("xlam", f"I look.[TOOL_CALLS][{READ_JSON}]", (READ,), "mistral"),
    Answer("xlam", f"I look.<tool_call>[{READ_JSON}]</tool_call>", (READ,)),
    Answer("xlam", f"I look.\n```json\n[{READ_JSON}]\n```", (READ,), None),
    Answer("xlam", f'{{"tool_calls": [{READ_JSON}]}}', (READ,)),
    Answer(
        "minimax_m2",
        '<minimax:tool_call>\n<invoke name="read">\n<parameter name="path">a b.py</parameter>\n<parameter name="limit">3</parameter>\n</invoke>\n<invoke name="now">\n</invoke>\n</minimax:tool_call>[e~[',
        (READ, NOW),
    ),
    # APIs
    Answer(
        "openai_chat",
        '{"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "read", "arguments": "{\\"path\\": \\"a b.py\\", \\"limit\\": 3}"}}, {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": ""}}]}',
        (READ, NOW),
    ),
    Answer(
        "openai_chat",
        '{"choices": [{"message": {"content": "Hm.", "tool_calls": [{"function": {"name": "now", "arguments": "{}"}}]}}]}',
        (NOW,),
    ),
    Answer(
        "openai_responses",
        '{"output": [{"type": "reasoning"}, {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{\\"path\\": \\"a b.py\\", \\"limit\\": 3}"}]}',
        (READ,),
    ),
    Answer(
        "anthropic",
        '{"content": [{"type": "text", "text": "I look."}, {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a b.py", "limit": 3}}]}',
        (READ,),
    ),
)
