"""Command lines as people really write them, with quotes in quotes, composed anew each time."""

import re
import shlex
from functools import cache

from pytest_mcpbench.training.generate.compose import EmptyPoolError, Maker
from pytest_mcpbench.training.generate.pools import lines, side

_MARK = re.compile(r"<([a-z]+)(\d?)>")
_COINED = 0.3
_ENDS = (
    " | head -n <d>0", " | head", " | sort | uniq -c | sort -rn", " | wc -l", " | tail -n <n>", " > /tmp/<name>.txt",
    " 2>/dev/null", " 2>&1 | tee <name>.log", " | less", " >> <name>.txt", " | sort -u", " | column -t", " || true",
    " | tr '[:lower:]' '[:upper:]'", " | awk '{print $<d>}'", " | sed 's/^/  /'", " | grep -v '^$'",
    ' && echo "done"',
    " | xargs -n1 echo", " | sort -t, -k<d> -rn", " | cut -d' ' -f<d>", " | tr -d '\"'", " > <name>.log 2>&1 &",
)  # fmt: skip


@cache
def _actual(pool: str = "actual") -> dict[str, tuple[str, tuple[str, ...]]]:
    """Each kind: the shape of a coined one, and the real ones."""
    found = {}
    for line in lines(pool):
        head, _, entries = line.partition(" | ")
        kind, _, coined = head.partition(" = ")
        found[kind.strip()] = (coined.strip(), tuple(entry.strip() for entry in entries.split("; ")))
    return found


def one_liner(make: Maker) -> str:
    """A command line of a hand-written shape with real or coined names in it; some with a pipe or redirection more.

    Raises EmptyPoolError where a name has put a quote in quotes, so that a shell would wait for more.
    """
    command = make.rng.choice(side(lines("oneliners"), make.split))
    if make.chance(0.16) and not command.rstrip().endswith(("&", "done", ";", "fi")) and " > " not in command:
        command += make.rng.choice(_ENDS)
    if make.chance(0.05):
        command = "<env>=<envval> " + command if command[0].islower() and not command.startswith(_BUILT_IN) else command
    command = actual_fill(make, command)
    try:
        shlex.split(command)
    except ValueError as error:
        raise EmptyPoolError("the quotes of a command do not close") from error
    return command


_BUILT_IN = ("for ", "while ", "if ", "cd ", "export ", "test ", "alias ", "until ", "case ")


def actual_fill(make: Maker, text: str) -> str:
    """The text with each `<kind>` replaced by a real name or a coined one; the same mark twice gets the same."""
    memo: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        kind, mark = match.group(1), match.group(0)
        if kind not in _actual():
            return mark
        if mark not in memo:
            memo[mark] = actual_value(make, kind, tuple(memo.values()))
        return memo[mark]

    return make.values.fill(_MARK.sub(value, text))


def actual_value(make: Maker, kind: str, taken: tuple[str, ...] = ()) -> str:
    """A value of one of the kinds of the pool, real or coined."""
    coined, entries = _actual()[kind]
    real = [entry for entry in side(entries, make.split) if entry not in taken]
    if not real or (coined and make.chance(_COINED)):
        return make.values.fill(coined or make.rng.choice(("<xw>", "<xk>")))
    return make.rng.choice(real)


def topic_value(make: Maker, kind: str, taken: tuple[str, ...] = ()) -> str | None:
    """A topic of that kind that people chat about; None if no pool has such a kind."""
    if kind not in _actual("topics"):
        return None
    entries = [entry for entry in side(_actual("topics")[kind][1], make.split) if entry not in taken]
    if not entries:
        raise EmptyPoolError(kind)
    return make.rng.choice(entries)


def knows_actual(kind: str) -> bool:
    """Whether the pool of real names has such a kind."""
    return kind in _actual()
