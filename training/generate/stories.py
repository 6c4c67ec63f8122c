"""What requests that tell a story share: a context before, a wish behind, files and values of real projects."""

import re
from random import Random

from pytest_mcpbench.training.generate.compose import EmptyPoolError, Maker, Phrasing
from pytest_mcpbench.training.generate.phrases import expand, tidy, upper_first
from pytest_mcpbench.training.generate.pools import side, value_sections
from pytest_mcpbench.training.generate.quoting import Slot, clear_as_words, clear_without_quotes

_NATURAL_FILES = "natural_files"
_COINED_FILE = 0.3
_BARE = re.compile(r"""[^\s'"`“”\u2018\u2019«»,;:.!?()\[\]>|-][^\s'"`“”\u2018\u2019«»]*|--?\w[\w=.-]*""")
_SETTING = re.compile(r"""("[\w.$-]+": ("[^"]*"|[^\s"'][^"']*)|[\w.-]+ ?[:=] ?("[^"]*"|'[^']*'|[^\s"'`]+));?""")
_ARROW = re.compile(r"->|=>|→")
_QUOTES = "'\"`“”\u2018\u2019«»"
_LAST_WORDS = re.compile(r"\b(and|then|to|in|into|with|by|for|from|of|on|as|should|is|at|please|it)\b", re.IGNORECASE)


def domain_of(make: Maker) -> str:
    """A kind of project: web, embedded, prose and so on."""
    return make.rng.choice(sorted(value_sections(_NATURAL_FILES)))


def natural_file(make: Maker, domain: str) -> str:
    """A file of such a project: a usual name, sometimes in one of its folders, or a coined name of its kind."""
    names = _names(make, domain, folders=False)
    name = make.rng.choice(names)
    extension = name.rpartition(".")[2]
    if make.chance(_COINED_FILE) and re.fullmatch(r"[a-z]{1,6}", extension) and extension != name:
        return make.values.path(extension)
    if "/" not in name and make.chance(0.25):
        return f"{natural_folder(make, domain)}/{name}"
    return name


def natural_folder(make: Maker, domain: str) -> str:
    """A folder of such a project, without a slash behind; or a coined one."""
    folders = _names(make, domain, folders=True)
    if not folders or make.chance(_COINED_FILE):
        return make.values.folder()
    return make.rng.choice(folders).rstrip("/")


def natural_value(make: Maker, pool: str, domain: str) -> str:
    """An entry of a pool of values for that kind of project. Raises EmptyPoolError where this side has none."""
    entries = side(value_sections(pool).get(domain, ()), make.split)
    if not entries:
        raise EmptyPoolError(f"{pool}.{domain}")
    return make.rng.choice(entries)


def typed_look(make: Maker, *values: str) -> Slot:
    """The first of the values as somebody types it: in quotes, or bare where all of them are clear without."""
    shown = [value for value in values if value]
    if make.chance(0.42) and all(clear_bare(value) for value in shown):
        return Slot(values[0])
    return Slot(values[0], "text")


def clear_bare(value: str) -> bool:
    """Whether a value may stand without quotes although it has signs in it, or is a setting of two words."""
    if _ARROW.search(value) or value != value.strip() or value[-1:] in ".,!?:;…":
        return False
    if " " not in value:
        return _BARE.fullmatch(value) is not None and clear_without_quotes(f"x{value}", "symbol")
    if _LAST_WORDS.search(value):
        return False
    return _SETTING.fullmatch(value) is not None or (value.count(" ") < 3 and clear_as_words(value))


def fits_raw(template: str, *values: str) -> bool:
    """Whether values may stand bare in their places of the template, so that nothing of them is in doubt."""
    if re.search(r"[^ \n] *\{raw\w+\}$", template) and values[-1][-1:] in ".,!?:;":
        return False  # the mark could be the sentence's
    return all(
        value == value.strip() and value and "\n" not in value and not _ARROW.search(value)
        and not (value[0] in _QUOTES and value[-1] in _QUOTES) and " | " not in value
        for value in values
    )  # fmt: skip


def told(make: Maker, pool: str, core: Phrasing, *, open_end: bool) -> Phrasing:
    """The request with a story before it, a wish behind it, both or neither."""
    text, order = core.text, core.order
    if not open_end and make.chance(0.2):
        text, order = _with_tail(text, expand(make.line(pool, "tail"), make.rng)), False
    if make.chance(0.4):
        text, order = _after(make.rng, expand(make.line(pool, "story"), make.rng), text), False
    return Phrasing(text=tidy(text), order=order)


def _after(rng: Random, story: str, text: str) -> str:
    if not text.startswith("{") and not story.endswith((":", ",")) and rng.random() < 0.5:
        text = upper_first(text)
    glue = "\n" if rng.random() < 0.12 or (text.count("\n") > 2 and rng.random() < 0.5) else " "
    return f"{story}{glue}{text}"


def _with_tail(text: str, tail: str) -> str:
    if text.endswith(("?", ".", "!")):
        return f"{text} {upper_first(tail.lstrip('., '))}" if tail.startswith(".") else text
    return f"{text}{tail}"


def _names(make: Maker, domain: str, *, folders: bool) -> tuple[str, ...]:
    names = [name for line in value_sections(_NATURAL_FILES)[domain] for name in line.split()]
    # What begins like a folder but has no dot behind its last slash is one, too: "~/.config", "/etc/nginx".
    kept = side((name for name in names if _is_folder(name) == folders), make.split)
    if not kept and not folders:
        raise EmptyPoolError(f"{_NATURAL_FILES}.{domain}")
    return kept


def _is_folder(name: str) -> bool:
    return name.endswith("/") or name in _FOLDERS


_FOLDERS = frozenset({"/etc/nginx", "/etc/systemd", "./settings", "~/dotfiles", "~/.config", "importers/paypal"})
