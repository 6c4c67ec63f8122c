"""Whether rows are fit to train on: their form, doubles, balance, lengths, and overlap with a benchmark's cases."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.dataset import CaseReader, case_files
from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.core.overlap import NEAR_DUPLICATE, PromptIndex, normalized
from pytest_mcpbench.core.rows import Place, json_lines
from pytest_mcpbench.errors import CaseError, TrainingError
from pytest_mcpbench.models.prompt import PromptStyle
from pytest_mcpbench.training.encode import encode_rows

MINIMUM_ROWS = 29
"""The fewest rows that are worth a training run, as the project's guide has it."""

_UNEVEN = 5
"""A tool with fewer rows than the most frequent one by this factor is pointed out."""

_LITTLE_REFUSAL, _MUCH_REFUSAL = 0.05, 0.3
_SHOWN_TEXT = 70
_NO_LIMIT = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row and where it stands."""

    case: Case
    place: Place

    @property
    def where(self) -> str:
        """File and line, or the row's id where it came from no file."""
        return self.place.path if self.place.line is None else f"{self.place.path}:{self.place.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What a check of training data found. Data with an error must not be trained on; a warning is advice.

    `per_tool` counts the rows that call each offered tool, `no_tool` those that call none; `longest` is the longest
    row in tokens, 0 where no tokenizer was given; `too_long` how many rows are longer than the limit.
    """

    rows: int
    per_tool: tuple[tuple[str, int], ...] = ()
    no_tool: int = 0
    duplicates: int = 0
    leaks: int = 0
    longest: int = 0
    too_long: int = 0
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the data may be trained on."""
        return not self.errors

    def lines(self, most: int = 20) -> list[str]:
        """The report in lines: counts, at most so many errors and how many more there are, warnings, the verdict."""
        counts = ", ".join(f"{name} {count}" for name, count in self.per_tool)
        lines = [f"{self.rows} rows: {counts or 'no tools'}, no tool {self.no_tool}"]
        if self.longest:
            lines.append(f"longest row: {self.longest} tokens")
        lines += [f"error: {error}" for error in self.errors[:most]]
        if len(self.errors) > most:
            lines.append(f"error: and {len(self.errors) - most} more")
        lines += [f"warning: {warning}" for warning in self.warnings]
        return [*lines, "fit to train on" if self.ok else f"not fit to train on: {len(self.errors)} errors"]


def check_data(
    rows: Sequence[Path] | Sequence[Case],
    benchmark: Iterable[Case] = (),
    tokenizer: Any = None,
    max_seq_length: int = 1024,
) -> DataReport:
    """What is wrong with training rows, given as files and folders or as cases.

    Errors: fewer than 29 rows, broken rows (each with file and line), doubled ids or requests, rows of more than
    `max_seq_length` tokens (they are counted, never cut or dropped), and overlap with the benchmark's cases: the same
    text, the same but for case, white space and punctuation, or trigram sets with a Jaccard index of 0.8 or more.
    Raises CaseError where a given file or folder does not exist.
    """
    found, errors = _read(rows)
    cases = [row.case for row in found]
    doubles = _doubles(found)
    leaks = _leaks(found, tuple(benchmark))
    report = _balance(cases)
    longest, too_long, complaint = _lengths(found, tokenizer, max_seq_length)
    if len(found) < MINIMUM_ROWS:
        errors.append(f"{len(found)} rows; at least {MINIMUM_ROWS} are needed to train on: add rows")
    return replace(
        report, duplicates=len(doubles), leaks=len(leaks), longest=longest, too_long=too_long,
        errors=(*errors, *doubles, *complaint, *leaks),
    )  # fmt: skip


def require_fit(report: DataReport) -> None:
    """Nothing for data that is fit; raises TrainingError with the first error and the number of the others."""
    if report.errors:
        more = len(report.errors) - 1
        others = f" (and {more} more; see mcpbench data check)" if more else ""
        raise TrainingError(f"{report.errors[0]}{others}")


def _read(given: Sequence[Path] | Sequence[Case]) -> tuple[list[Row], list[str]]:
    """The rows that can be read, with their places, and an error for each that cannot."""
    reader = CaseReader(shipped_tools=Path(str(files("pytest_mcpbench.fixtures"))) / "tools")
    found: list[Row] = []
    errors: list[str] = []
    for item in given:
        if isinstance(item, Case):
            found.append(Row(case=item, place=Place(path=item.id)))
            continue
        for file in case_files(item):
            try:
                for place, data in json_lines(file):
                    try:
                        found.append(Row(case=reader.case_of(data, place), place=place))
                    except CaseError as error:
                        errors.append(str(error))
            except CaseError as error:  # the file itself: what follows its broken line is not read
                errors.append(str(error))
    return found, errors


def _doubles(rows: Sequence[Row]) -> list[str]:
    """An error for each row whose id or request stood in an earlier row."""
    ids: dict[str, Row] = {}
    requests: dict[str, Row] = {}
    errors = []
    for row in rows:
        first = ids.setdefault(row.case.id, row)
        if first is not row:
            errors.append(f"{row.where}: the id {row.case.id!r} is taken by {first.where}; give it another")
        key = "\n".join(f"{turn.role} {turn.content}" for turn in row.case.messages)
        first = requests.setdefault(key, row)
        if first is not row:
            same = first.case.expected == row.case.expected
            what = "doubles the row" if same else "asks the same as, but expects other calls than, the row"
            errors.append(f"{row.where}: {row.case.id!r} {what} {first.case.id!r} at {first.where}; remove one of them")
    return errors


def _leaks(rows: Sequence[Row], benchmark: Sequence[Case]) -> list[str]:
    """An error for each row that is, or nearly is, one of the benchmark's cases."""
    exact = {case.prompt: case for case in reversed(benchmark)}
    alike = {normalized(case.prompt): case for case in reversed(benchmark)}
    index = PromptIndex([case.prompt for case in benchmark])
    errors = []
    for row in rows:
        prompt = row.case.prompt
        case, how = exact.get(prompt), "is"
        if case is None:
            case, how = alike.get(normalized(prompt)), "is, but for case, white space and punctuation,"
        if case is None and (near := index.nearest(prompt)):
            case, how = benchmark[near[0]], f"nearly is ({near[1]:.2f} of the trigrams, limit {NEAR_DUPLICATE})"
        if case is not None:
            errors.append(
                f"{row.where}: {row.case.id!r} {how} the benchmark's case {case.id!r}: {_short(prompt)!r}; remove it"
            )
    return errors


def _balance(cases: Sequence[Case]) -> DataReport:
    """A report of the counts alone, with warnings where they are uneven."""
    offered = sorted({tool.name for case in cases for tool in case.tools})
    counts = Counter(name for case in cases for name in case.expected_tools)
    none = sum(1 for case in cases if not case.expects_call)
    most = max(counts.values(), default=0)
    warnings = [
        f"{name}: {counts[name]} rows, where the most frequent tool has {most}; add rows for it"
        for name in offered
        if counts[name] * _UNEVEN < most
    ]
    share = none / len(cases) if cases else 0.0
    if cases and not _LITTLE_REFUSAL <= share <= _MUCH_REFUSAL:
        warnings.append(
            f"{none} of {len(cases)} rows ({share:.0%}) call no tool; 10 to 15 % teach a model when not to call one"
        )
    per_tool = tuple((name, counts[name]) for name in offered)
    return DataReport(rows=len(cases), per_tool=per_tool, no_tool=none, warnings=tuple(warnings))


def _lengths(rows: Sequence[Row], tokenizer: Any, limit: int) -> tuple[int, int, list[str]]:
    """The longest row in tokens, how many are too long, and the error that says so."""
    if tokenizer is None or not rows:
        return 0, 0, []
    style = PromptStyle(fmt=get_format("native"), tokenizer=tokenizer)
    # Rows with one id share a request, so each is measured under a name of its own.
    cases = [replace(row.case, id=f"row-{number}") for number, row in enumerate(rows)]
    lengths = [len(row) for row in encode_rows(cases, style, tokenizer, _NO_LIMIT)]
    longest = max(range(len(rows)), key=lengths.__getitem__)
    too_long = sum(1 for length in lengths if length > limit)
    if not too_long:
        return lengths[longest], 0, []
    return (
        lengths[longest],
        too_long,
        [
            f"{too_long} of {len(rows)} rows are longer than max_seq_length {limit} tokens (the longest is "
            f"{rows[longest].case.id!r} at {rows[longest].where} with {lengths[longest]}); raise it or shorten them"
        ],
    )


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_TEXT else flat[: _SHOWN_TEXT - 1] + "…"
