"""What a hostile model may write: an answer for each of the eight cases, none of them right."""

ESCAPES = "\x1b[31mred\x1b[0m\x07\x08\x00 ]]> <![CDATA[ &amp; \u202e \x9b2J"

HOSTILE = {
    "read-1": "<tool_use>read(file_path='" + "a" * 1_000_000 + "')</tool_use>",
    "read-2": "<tool_use>" * 100_000,
    "grep-1": "<tool_use>grep(pattern=" + "[" * 100_000,
    "grep-2": "<tool_use>grep(pattern=__import__('os').system('touch hacked'))</tool_use>",
    "bash-1": "<tool_use>bash(command='\\ud800\ud800" + ESCAPES.replace("\x00", "") + "')</tool_use>",
    "none-1": "<tool_use>\udfff\ud800" + ESCAPES,
    "none-2": "<tool_use>" + "{" * 100_000 + ESCAPES,
    "two-1": "<tool_use>" + "\ud800" * 10 + "(" + ESCAPES + "='\x1b')</tool_use>",
}
