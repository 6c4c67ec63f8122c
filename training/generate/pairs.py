"""Rows that ask for two things at once, which do not depend on each other's result."""

from collections.abc import Callable, Mapping, Sequence

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate.compose import Alternatives, Clause, EmptyPoolError, Maker, Phrasing, is_order
from pytest_mcpbench.training.generate.doubling import told_pair
from pytest_mcpbench.training.generate.editing import edited, old_and_new, short_edit
from pytest_mcpbench.training.generate.finding import file_name, found, short_glob
from pytest_mcpbench.training.generate.phrases import Piece, expand, lower_first, upper_first
from pytest_mcpbench.training.generate.places import Place, place_of
from pytest_mcpbench.training.generate.quoting import Slot
from pytest_mcpbench.training.generate.reading import read_call, short_read
from pytest_mcpbench.training.generate.searching import answers, searched, short_grep
from pytest_mcpbench.training.generate.shell import make_command, ran, short_bash
from pytest_mcpbench.training.generate.writing import short_content, short_write, written

_SHORT: dict[str, Callable[[Maker], Clause]] = {
    "read": short_read, "bash": short_bash, "grep": short_grep, "glob": short_glob, "write": short_write,
    "edit": short_edit,
}  # fmt: skip
_WEIGHTS = {"read": 0.24, "bash": 0.22, "grep": 0.17, "glob": 0.14, "write": 0.11, "edit": 0.12}
_SAME = {"read": 0.26, "bash": 0.2, "grep": 0.12, "grep_places": 0.07, "glob": 0.08, "glob_langs": 0.06,
         "write": 0.08, "write_empty": 0.03, "edit": 0.07, "edit_same": 0.03}  # fmt: skip
_ANY_OUTPUT: Mapping[str, Sequence[Json]] = {"output_mode": ("content", "files_with_matches")}
_TOLD = 0.62
"""The share of the rows that are told in one breath, in natural words."""

_MAX_LENGTH = 320
"""Two calls have to fit into the answer: longer requests of two parts are drawn again."""


def pair_clause(make: Maker) -> Clause:
    """A request of two parts: of one tool in one phrase, or of any two tools joined."""
    if make.chance(_TOLD):
        clause = told_pair(make)
    else:
        clause = _same_tool(make, make.draw(_SAME)) if make.chance(0.36) else _joined(make)
    if len(clause.text) > _MAX_LENGTH:
        raise EmptyPoolError("too long for two calls")
    return clause


def both(first: Alternatives, second: Alternatives) -> Alternatives:
    """Each right answer of the one with each of the other; the canonical ones first."""
    return tuple((*a, *b) for a in first for b in second)[:12]


def _joined(make: Maker) -> Clause:
    one, two = make.draw(_WEIGHTS), make.draw(_WEIGHTS)
    joint = make.line("pairs", "joined")
    first, second = _short_clause(make, one), _short_clause(make, two)
    before, rest = joint.split("{A}")
    between, after = rest.split("{B}")
    between, after = between.replace("\\n", "\n"), after.replace("\\n", "\n")
    if first.end == "bare" and not between.startswith((",", ".", ";", " and ", "?", "\n")):
        raise EmptyPoolError("the first command would run into the second request")
    new_sentence = between.rstrip().endswith((".", "?", "!")) or not between.strip()
    pieces = [Piece(before.replace("\\n", "\n")), *_started(first, before, make), Piece(between)]
    pieces += [*(_capital(second) if new_sentence and make.chance(0.8) else second.pieces), Piece(after)]
    return Clause(
        pieces=tuple(piece for piece in pieces if piece.text),
        alternatives=both(first.alternatives, second.alternatives),
        end="closed" if after else second.end,
    )


def _short_clause(make: Maker, tool: str) -> Clause:
    for _ in range(40):
        clause = _SHORT[tool](make)
        last = clause.pieces[-1]
        ended = last.literal and last.text[-1:] in ".?!"
        if clause.end != "open" and "\n" not in clause.text and len(clause.text) < 150 and not ended:
            return clause
    raise EmptyPoolError(f"no short request for {tool}")


def _started(clause: Clause, before: str, make: Maker) -> tuple[Piece, ...]:
    lower = before.rstrip().endswith((",", ":")) or before[-1:] == " "
    first = clause.pieces[0]
    if first.literal and lower and make.chance(0.9):
        return (Piece(lower_first(first.text)), *clause.pieces[1:])
    return clause.pieces


def _capital(clause: Clause) -> tuple[Piece, ...]:
    first = clause.pieces[0]
    return (Piece(upper_first(first.text)), *clause.pieces[1:]) if first.literal else clause.pieces


def _same_tool(make: Maker, section: str) -> Clause:
    template = expand(make.line("pairs", section), make.rng)
    slots, alternatives = _PAIRED[section](make, template)
    if "where" in slots:
        template = template.replace("{where}", slots.pop("where").value)
    return make.clause(Phrasing(text=template, order=is_order(template)), slots, alternatives)


Paired = tuple[dict[str, Slot], Alternatives]


def _two_reads(make: Maker, template: str) -> Paired:
    one, two = make.values.path(), make.values.path()
    slots = {"file": Slot(one, "path"), "file2": Slot(two, "path")}
    return slots, ((read_call(one), read_call(two)),)


def _two_commands(make: Maker, template: str) -> Paired:
    one, two = _clear_command(make), _clear_command(make)
    slots = {"cmd": Slot(one, "command"), "cmd2": Slot(two, "command")}
    return slots, both(ran(one), ran(two))


def _clear_command(make: Maker) -> str:
    for _ in range(50):
        command = make_command(make)
        if len(command.split()) <= 5 and not command.startswith("echo") and "&&" not in command:
            return command
    raise EmptyPoolError("no short command")


def _two_searches(make: Maker, template: str) -> Paired:
    (one, kind), (two, kind2) = searched(make, template), searched(make, template)
    place = place_of(make, {"": 0.35, "none": 0.25, "dir": 0.4}) if "{where}" in template else Place()
    slots = {
        "what": one,
        "what2": Slot(two.value, two.look if two.look == "plain" else one.look, two.shown),
        **place.slots,
    }
    calls = both(answers(one, kind, place, {}, dict(_ANY_OUTPUT)), answers(two, kind2, place, {}, dict(_ANY_OUTPUT)))
    return {**slots, "where": Slot(place.text)}, calls


def _two_places(make: Maker, template: str) -> Paired:
    (one, kind), (two, kind2) = searched(make, template), searched(make, template)
    first, second = _spot(make), _spot(make)
    slots = {"what": one, "what2": two, "place": Slot(first, "path"), "place2": Slot(second, "path")}
    where, where2 = Place(arguments={"path": first}), Place(arguments={"path": second})
    if "{what2}" not in template:
        two, kind2 = one, kind
    return slots, both(
        answers(one, kind, where, {}, dict(_ANY_OUTPUT)), answers(two, kind2, where2, {}, dict(_ANY_OUTPUT))
    )


def _spot(make: Maker) -> str:
    return make.values.folder() if make.chance(0.6) else make.values.path()


def _two_names(make: Maker, template: str) -> Paired:
    one, two = file_name(make, ""), file_name(make, "")
    slots = {"name": Slot(one, "path"), "name2": Slot(two, "path")}
    calls = both(found(f"**/{one}", Place()), found(f"**/{two}", Place()))
    return slots, (*calls, found(f"**/{{{one},{two}}}", Place())[0])


def _two_languages(make: Maker, template: str) -> Paired:
    (spoken, one, _, others), (spoken2, two, _, others2) = make.values.language(), make.values.language()
    if one == two:
        raise EmptyPoolError("one language twice")
    folders = ["", ""]
    slots = {"lang": Slot(spoken), "lang2": Slot(spoken2)}
    if "{dir}" in template:
        folders = [make.values.folder(), make.values.folder()]
        slots |= {"dir": Slot(folders[0], "path"), "dir2": Slot(folders[1], "path")}
    if "{lang2}" not in template:
        two, others2 = one, others
    place, place2 = (Place(arguments={"path": folder} if folder else {}) for folder in folders)
    return slots, both(
        found(f"**/*.{one}", place, [f"**/*.{o}" for o in others]),
        found(f"**/*.{two}", place2, [f"**/*.{o}" for o in others2]),
    )


def _two_writes(make: Maker, template: str) -> Paired:
    one, two = make.values.path(), make.values.path()
    content, content2 = short_content(make), short_content(make)
    slots = {
        "file": Slot(one, "path"), "file2": Slot(two, "path"),
        "content": Slot(content, "quoted_text"), "content2": Slot(content2, "quoted_text"),
    }  # fmt: skip
    return slots, both(written(one, content, [content + "\n"]), written(two, content2, [content2 + "\n"]))


def _two_empty(make: Maker, template: str) -> Paired:
    one, two = make.values.path(), make.values.path()
    return {"file": Slot(one, "path"), "file2": Slot(two, "path")}, both(written(one, "", []), written(two, "", []))


def _two_edits(make: Maker, template: str) -> Paired:
    (old, new, _), (old2, new2, _) = old_and_new(make), old_and_new(make)
    if old == old2 or max(map(len, (old, new, old2, new2))) > 40:
        raise EmptyPoolError("edits too long for a pair")
    one, two = make.values.path(), make.values.path()
    slots = {"file": Slot(one, "path"), "file2": Slot(two, "path")}
    slots |= {key: Slot(text, "text") for key, text in (("old", old), ("new", new), ("old2", old2), ("new2", new2))}
    second = two if "{file2}" in template else one
    return slots, both(edited(one, old, new), edited(second, old2, new2))


def _same_edit(make: Maker, template: str) -> Paired:
    deletes = "{new}" not in template
    old, new, _ = old_and_new(make, "del" if deletes else "one")
    one, two = make.values.path(), make.values.path()
    slots = {"file": Slot(one, "path"), "file2": Slot(two, "path"), "old": Slot(old, "text"), "new": Slot(new, "text")}
    return slots, both(edited(one, old, new), edited(two, old, new))


_PAIRED: dict[str, Callable[[Maker, str], Paired]] = {
    "read": _two_reads, "bash": _two_commands, "grep": _two_searches, "grep_places": _two_places, "glob": _two_names,
    "glob_langs": _two_languages, "write": _two_writes, "write_empty": _two_empty, "edit": _two_edits,
    "edit_same": _same_edit,
}  # fmt: skip
