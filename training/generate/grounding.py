"""Whether each argument of a row can be found in its prompt or follows from it: the check against invented values."""

import re
from functools import cache

from pytest_mcpbench.core.case import Case, ExpectedCall, Json
from pytest_mcpbench.training.generate.line_numbers import ORDINAL_WORDS, SPOKEN
from pytest_mcpbench.training.generate.pools import lines
from pytest_mcpbench.training.generate.reading import NUMBER_WORDS
from pytest_mcpbench.training.generate.timing import times_in

_ALL = re.compile(
    r"\b(all|every|everywhere|each|global|globally|throughout|across|all over|wherever)\b|/g\b", re.IGNORECASE
)
_GONE = re.compile(
    r"\b(delete|deleting|deleted|remove|removed|removing|rid|drop|strip|cut|erase|kill|throw|nothing|empty|take|clean|go|"
    r"gone|disappear|belong)\b",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"\b(empty|blank|nothing|zero|0 bytes|no content|without any content|clear|truncate)\b", re.IGNORECASE
)
_MODES = {
    "count": r"\b(count|counts|counting|how many|how often|number)\b",
    "files_with_matches": r"\b(files?|file ?names)\b",
    "content": r"\b(lines?|content)\b",
}
_LINE_BREAK = re.compile(r"multi-?line|span|across|lines|line breaks", re.IGNORECASE)
_SPOKEN_GLOBS = {".*": ("hidden", "dotfiles", "dot", ".*"), "*~": ("~", "tilde", "*~")}
_SLOT = re.compile(r"\\\{\w+\\\}")


def invented(case: Case) -> str | None:
    """The first argument of the canonical calls that the prompt does not bear out, with its value; None if all do."""
    for call in case.expected:
        for name, value in call.arguments.items():
            if not _borne_out(call, name, value, case.prompt):
                return f"{call.name}.{name} = {value!r} does not follow from {case.prompt!r}"
    return None


def _borne_out(  # noqa: PLR0911 - one rule a line
    call: ExpectedCall, name: str, value: Json, prompt: str
) -> bool:
    if isinstance(value, bool):
        return (_ALL if name == "replace_all" else _LINE_BREAK).search(prompt) is not None
    if isinstance(value, int):
        return value in (times_in(prompt) if name == "timeout" else _line_numbers(prompt))
    if name == "output_mode":
        return re.search(_MODES[value], prompt, re.IGNORECASE) is not None
    if value == "":
        return (_EMPTY if name == "content" else _GONE).search(prompt) is not None
    if value in prompt:
        return True
    if name == "content":
        return value.replace("\n", "\\n") in prompt or all(line in prompt for line in value.split("\n"))
    if name in ("command", "file_path"):
        return (_known_command if name == "command" else _joined_path)(value, prompt)
    if name == "type":
        return any(_said(spoken, prompt) for spoken in _languages_of_type(value))
    if name in ("pattern", "glob"):
        return _follows_as_glob(value, prompt)
    return False


def _said(word: str, prompt: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) is not None


def _follows_as_glob(  # noqa: PLR0911 - one rule a line
    pattern: str, prompt: str
) -> bool:
    """Whether a glob is made of a name or an extension that the prompt gives, or of a language's own extension."""
    core = pattern.removeprefix("**/")
    if core in _SPOKEN_GLOBS:
        return any(_said(word, prompt) for word in _SPOKEN_GLOBS[core])
    if core == "*":
        return _said("files", prompt) or _said("file", prompt) or _said("everything", prompt)
    if "{" not in core and all(part in prompt for part in core.split("*")):
        return True
    if _spelled_out(core, prompt):
        return True
    if core.strip("*") in prompt or core.removeprefix("*") in prompt:
        return True
    found = re.fullmatch(r"\*\.(?:\{(.+)\}|(.+))", core)
    if not found:
        return False
    extensions = (found.group(1) or found.group(2)).split(",")
    return all(
        _said(extension, prompt) or any(_said(spoken, prompt) for spoken in _spoken_for(extension))
        for extension in extensions
    )


def _spelled_out(core: str, prompt: str) -> bool:
    """Whether the prompt has what stands between the signs of a glob, or a language's name for its extension."""
    parts = [part.strip("/") for part in re.split(r"\*|\?|\[0-9\]", core)]
    if "{" in core or len(parts) < 2 or not all(part in prompt for part in parts[:-1]):
        return False
    stem, _, extension = parts[-1].rpartition(".")
    if parts[-1] in prompt or (stem in prompt and f".{extension}" in prompt):
        return True
    return stem in prompt and any(_said(spoken, prompt) for spoken in _spoken_for(extension))


def _numbers(prompt: str) -> set[int]:
    digits = {int(number) for number in re.findall(r"\d+", prompt) if len(number) < 10}
    digits |= {int(number.replace(",", "")) for number in re.findall(r"\b\d{1,3}(?:,\d{3})+\b", prompt)}
    digits |= {number for number, word in SPOKEN.items() if _said(word, prompt)}
    ranks = {number for number, word in ORDINAL_WORDS.items() if _said(word, prompt)}
    return digits | ranks | {number for number, word in NUMBER_WORDS.items() if _said(word, prompt)}


def _line_numbers(prompt: str) -> set[int]:
    """Every number in the prompt, one more than it (lines that are skipped), and the length of each range; 1."""
    numbers = _numbers(prompt)
    return numbers | {n + 1 for n in numbers} | {b - a + 1 for a in numbers for b in numbers if b >= a} | {1}


def _joined_path(path: str, prompt: str) -> bool:
    """Whether a path is a folder and a name that the prompt gives apart."""
    folder, _, base = path.rpartition("/")
    return bool(folder) and folder in prompt and base in prompt


def _known_command(command: str, prompt: str) -> bool:
    """Whether the command is one of the well-known ones, with values in it that the prompt gives."""
    for pattern in _command_patterns():
        match = pattern.fullmatch(command)
        if match and all(value in prompt for value in match.groups()):
            return True
    return False


@cache
def _command_patterns() -> tuple[re.Pattern[str], ...]:
    commands = [line.partition(" => ")[2].split(" || ")[0] for line in lines("described")]
    return tuple(re.compile(_SLOT.sub("(.+?)", re.escape(command))) for command in commands)


@cache
def _languages_of_type(kind: str) -> tuple[str, ...]:
    rows = [[cell.strip() for cell in line.split("|")] for line in lines("languages")]
    return tuple(name for row in rows if row[2] == kind for name in row[0].split(","))


@cache
def _spoken_for(extension: str) -> tuple[str, ...]:
    rows = [[cell.strip() for cell in line.split("|")] for line in (*lines("languages"), *lines("glob_languages"))]
    return tuple(name.strip() for row in rows if row[1] == extension for name in row[0].split(","))
