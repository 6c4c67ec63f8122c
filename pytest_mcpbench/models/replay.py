"""Recorded answers as a model: a run's JSON, or JSONL of `{"case" or "prompt", "text", "finish_reason"?}`."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.plan import FinishReason, Generation, GenerationSettings, Request
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.models.prompt import PromptStyle

_KEYS = ("case", "prompt", "text", "finish_reason", "prompt_tokens", "output_tokens", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Answers by the id of their case, and by the user's last words for those that name no case."""

    by_case: Mapping[str, Generation]
    by_prompt: Mapping[str, Generation]
    sha256: str
    size_bytes: int


class ReplayModel:
    """A model that answers what was recorded. A request without a recorded answer gets an error for an answer."""

    cacheable = False

    def __init__(self, spec: str, recording: Recording, style: PromptStyle) -> None:
        self.style = style
        self._recording = recording
        self.info = ModelInfo(
            spec=spec,
            kind="replay",
            fingerprint=recording.sha256,
            size_bytes=recording.size_bytes,
            format=style.fmt.name,
        )

    def count_tokens(self, request: Request) -> int:
        """The recorded number; 0 where none was recorded."""
        return self._answer(request).prompt_tokens

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        """The case and the request: two cases that ask the same may have been answered differently."""
        return f"{request.case_id}\n{request.key}"

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        """The recorded answers."""
        return [self._answer(request) for request in requests]

    def close(self) -> None:
        """Nothing to give back."""

    def _answer(self, request: Request) -> Generation:
        found = self._recording.by_case.get(request.case_id)
        if found is None:
            words = (message.content for message in reversed(request.messages) if message.role == "user")
            found = self._recording.by_prompt.get(next(words, ""))
        if found is None:
            return Generation(
                text="", finish_reason="error", error=f"no recorded answer for case {request.case_id or request.key}"
            )
        return found


def split_label(target: str) -> tuple[Path, str | None]:
    """The file and the model's label in what stands behind `replay:`, as FILE or FILE#LABEL."""
    whole = Path(target).expanduser()
    file, mark, label = target.rpartition("#")
    if whole.exists() or not mark or not file:
        return whole, None
    return Path(file).expanduser(), label


def read_recording(path: Path, label: str | None = None) -> Recording:
    """The answers in the file; of the model with that label where a run has several. Raises ModelError."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise ModelError(f"replay:{path}: {reason}; give the JSON of a run or a JSONL of answers") from None
    except UnicodeDecodeError as error:
        raise ModelError(f"replay:{path}: is no UTF-8 text (byte {error.start}); give a run's JSON or JSONL") from None
    records = _run_records(path, text, label)
    if records is None:
        records = _lines(path, text)
    by_case, by_prompt = _index(records)
    if not by_case and not by_prompt:
        raise ModelError(f"replay:{path}: holds no answers; give the JSON of a run or a JSONL of answers")
    digest = hashlib.sha256(data).hexdigest()
    return Recording(by_case=by_case, by_prompt=by_prompt, sha256=digest, size_bytes=len(data))


_Place = tuple[str, Mapping[str, Json]]


def _run_records(path: Path, text: str, label: str | None) -> list[_Place] | None:
    """The records of one model with their places, if the file is a run; None if it is not."""
    try:
        run = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(run, dict) or "records" not in run:
        return None
    records = run["records"]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ModelError(f"replay:{path}: its 'records' are no list of objects; give the JSON that a run wrote")
    labels = sorted({str(record.get("model", "")) for record in records})
    if label is None and len(labels) > 1:
        raise ModelError(f"replay:{path}: holds the models {', '.join(labels)}; name one: replay:{path}#{labels[0]}")
    if label is not None and label not in labels:
        raise ModelError(f"replay:{path}: has no model {label!r} (it has: {', '.join(labels) or 'none'})")
    places = [(f"replay:{path}: record {number}", record) for number, record in enumerate(records, 1)]
    return [(place, record) for place, record in places if label is None or str(record.get("model", "")) == label]


def _lines(path: Path, text: str) -> list[_Place]:
    rows: list[_Place] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"replay:{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{place}: is no JSON ({error}); a line is one object with 'case' and 'text'") from None
        if not isinstance(row, dict):
            raise ModelError(f"{place}: is a JSON {type(row).__name__}; a line is one object with 'case' and 'text'")
        unknown = [key for key in row if key not in _KEYS]
        if unknown:
            raise ModelError(f"{place}: unknown key {unknown[0]!r} (known: {', '.join(_KEYS)})")
        rows.append((place, row))
    return rows


def _index(rows: Iterable[_Place]) -> tuple[dict[str, Generation], dict[str, Generation]]:
    by_case: dict[str, Generation] = {}
    by_prompt: dict[str, Generation] = {}
    for place, row in rows:
        name = "case" if "case" in row else "prompt"
        key, answers = row.get(name), by_case if name == "case" else by_prompt
        if not isinstance(key, str):
            raise ModelError(f"{place}: {name!r} is {key!r} where a text is needed; name the case or its prompt")
        if key in answers:
            raise ModelError(f"{place}: a second answer for {name} {key!r}; keep one")
        answers[key] = _generation(place, row)
    return by_case, by_prompt


def _generation(place: str, row: Mapping[str, Json]) -> Generation:
    text, finish = row.get("text"), row.get("finish_reason", "stop")
    if not isinstance(text, str):
        raise ModelError(f"{place}: 'text' is {text!r} where a text is needed; give what the model answered")
    if finish not in get_args(FinishReason):
        raise ModelError(f"{place}: 'finish_reason' is {finish!r}; it is one of {', '.join(get_args(FinishReason))}")
    counts = [row.get(name) or 0 for name in ("prompt_tokens", "output_tokens")]
    if any(not isinstance(count, int) or count < 0 for count in counts):
        raise ModelError(f"{place}: 'prompt_tokens' and 'output_tokens' are counts, not {counts}")
    error = row.get("error") or ("recorded as an error" if finish == "error" else None)
    return Generation(
        text=text,
        finish_reason=finish,
        prompt_tokens=counts[0],
        output_tokens=counts[1],
        error=None if error is None else str(error),
    )
