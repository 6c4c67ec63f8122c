"""Whether two requests are the same one: by a hash of their words, and by how alike their letters are.

Training rows that overlap with the cases of a benchmark make its numbers worthless, so both are compared here.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.contamination import row_hash

__all__ = ["NEAR_DUPLICATE", "CaseIndex", "PromptIndex", "normalized", "row_hash", "trigrams", "wording"]

NEAR_DUPLICATE = 0.8
"""Two prompts whose sets of character trigrams have at least this Jaccard index are near-duplicates."""

_LEAST_WORDS = 6
"""A wording of fewer words, such as `read X please`, is anybody's."""

_GRAM = 3
_WORD = re.compile(r"[^\W\d_]{2,}")
_FOLDED = re.compile(r"[\W_]+")


def normalized(prompt: str) -> str:
    """The prompt in lower case, each run of white space and punctuation folded into one space, none at its ends.

    A prompt that consists of punctuation alone stays as it is.
    """
    text = unicodedata.normalize("NFKC", prompt).casefold()
    return _FOLDED.sub(" ", text).strip() or text.strip()


def trigrams(prompt: str) -> frozenset[str]:
    """The sets of three neighbouring characters of the normalized prompt, with a space at each end."""
    text = f" {normalized(prompt)} "
    return frozenset(text[at : at + _GRAM] for at in range(len(text) - _GRAM + 1))


def wording(case: Case) -> str | None:
    """The prompt with an X for each argument that it holds: how it is asked, whatever for.

    None where fewer than 6 words are left.
    """
    text = case.prompt
    values = {str(value) for call in case.expected for value in call.call.arguments.values()}
    for value in sorted(values - {""}, key=lambda value: (-len(value), value)):
        text = text.replace(value, " X ")
    return text if len(_WORD.findall(text)) >= _LEAST_WORDS else None


class CaseIndex:
    """Cases that training rows must be unlike: as they stand, and in their wording with other values in it."""

    def __init__(self, cases: Iterable[Case]) -> None:
        kept = list(cases)
        self._prompts = PromptIndex(case.prompt for case in kept)
        self._wordings = PromptIndex(found for case in kept if (found := wording(case)))

    def has_like(self, case: Case) -> bool:
        """Whether one of the cases is a near-duplicate of this one, in its prompt or in its wording."""
        if self._prompts.nearest(case.prompt) is not None:
            return True
        asked = wording(case)
        return asked is not None and self._wordings.nearest(asked) is not None


class PromptIndex:
    """Prompts to compare others with: an inverted index from trigrams, so that thousands cost seconds, not minutes.

    Source of the measure: A. Z. Broder, "On the resemblance and containment of documents" (1997).
    """

    def __init__(self, prompts: Iterable[str]) -> None:
        self._grams = [trigrams(prompt) for prompt in prompts]
        holders: dict[str, list[int]] = {}
        for number, grams in enumerate(self._grams):
            for gram in sorted(grams):
                holders.setdefault(gram, []).append(number)
        self._holders = holders

    def nearest(self, prompt: str, least: float = NEAR_DUPLICATE) -> tuple[int, float] | None:
        """The number of the most alike prompt and their Jaccard index in [least, 1]; None where none is so alike.

        A prompt that shares `least` of the union shares at least that part of its own trigrams, so only prompts that
        hold one of its rarest remaining ones are counted.
        """
        grams = trigrams(prompt)
        if not self._grams or not grams:
            return None
        rarest = sorted(grams, key=lambda gram: (len(self._holders.get(gram, ())), gram))
        enough = len(grams) - int(least * len(grams) - 1e-9)
        candidates = Counter(number for gram in rarest[: max(enough, 1)] for number in self._holders.get(gram, ()))
        best: tuple[int, float] | None = None
        for number in sorted(candidates):
            other = self._grams[number]
            shared = len(grams & other)
            likeness = shared / (len(grams) + len(other) - shared)
            if likeness >= least and (best is None or likeness > best[1]):
                best = (number, likeness)
        return best
