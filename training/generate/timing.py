"""Spans of time as people write them, and their milliseconds."""

import re
from random import Random

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_NAMES = {
    "ms": (" ms", "ms", " milliseconds", " msec", " millis"),
    "s": (" seconds", " seconds", "s", " sec", " secs", " s", " second"),
    "m": (" minutes", " minutes", " min", " min", " mins", "min", "m", " minute"),
    "h": (" hours", " hours", "h", " h", " hrs", " hour"),
}
_ROUND = {
    "ms": (50, 100, 150, 200, 250, 300, 400, 500, 600, 750, 800, 900, 1000, 1200, 1500, 2000, 2500, 3000, 5000, 7500,
           8000, 10_000, 12_000, 15_000, 20_000, 25_000, 30_000, 45_000, 60_000, 90_000, 120_000),
    "s": (5, 10, 15, 20, 25, 30, 40, 45, 60, 75, 90, 100, 120, 180, 240, 300, 600),
    "m": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 45, 60, 90),
    "h": (1, 2, 3, 4, 5, 6, 8, 10, 12, 24),
}  # fmt: skip
_LIMITS = {"ms": 20_000, "s": 121, "m": 121, "h": 25}
_FIXED = {
    "half a second": 500, "half a minute": 30_000, "half an hour": 1_800_000, "a minute and a half": 90_000,
    "an hour and a half": 5_400_000, "a second and a half": 1_500, "a quarter of an hour": 900_000,
    "three quarters of an hour": 2_700_000, "a quarter of a minute": 15_000, "three quarters of a minute": 45_000,
    "a second": 1_000, "a minute": 60_000, "an hour": 3_600_000, "one minute": 60_000, "one hour": 3_600_000,
    "one and a half minutes": 90_000, "one and a half hours": 5_400_000, "one and a half seconds": 1_500,
    "1 minute": 60_000, "1 hour": 3_600_000, "1 second": 1_000,
}  # fmt: skip
_LONG = {"s": "second", "m": "minute", "h": "hour"}
_FRACTIONS = (50, 50, 50, 25, 75, 20, 40, 10, 80, 60, 30, 70, 90)
_WEIGHTS = {"ms": 0.17, "s": 0.4, "m": 0.33, "h": 0.1}


def span(rng: Random) -> tuple[str, int]:
    """A span as it stands after "at most" or "after", and its milliseconds."""
    draw = rng.random()
    if draw < 0.15:
        shown = rng.choice(list(_FIXED))
        return shown, _FIXED[shown]
    if draw < 0.29:
        return _worded(rng, " ", plural=True)
    if draw < 0.43:
        return _decimal(rng)
    if draw < 0.5:
        return _compound(rng)
    unit = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    number = _whole(rng, unit)
    name = rng.choice(_NAMES[unit])
    if name in (" second", " minute", " hour") and number != 1:
        name += "s"
    if number == 1:
        name = name.rstrip("s") if len(name) > 3 else name
    return f"{number}{name}", number * _SCALES[unit]


def adjective(rng: Random) -> tuple[str, int]:
    """A span as it stands before "timeout" or "limit", and its milliseconds."""
    draw = rng.random()
    if draw < 0.06:
        return rng.choice((("half-hour", 1_800_000), ("half-minute", 30_000), ("half-second", 500)))
    if draw < 0.2:
        return _worded(rng, rng.choice(("-", " ")), plural=False)
    unit = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    if unit == "ms":
        number = _whole(rng, unit)
        return f"{number}{rng.choice((' ms', 'ms', ' millisecond', '-millisecond'))}", number
    short, long = {"s": ("sec", "second"), "m": ("min", "minute"), "h": ("h", "hour")}[unit]
    ending = rng.choice((f" {long}", f"-{long}", f" {long}", f" {short}", unit if unit != "m" else f"-{short}"))
    if rng.random() < 0.15:
        hundredths = rng.randrange(10) * 100 + rng.choice(_FRACTIONS)
        return f"{_plain(hundredths)}{ending}", hundredths * _SCALES[unit] // 100
    number = _whole(rng, unit)
    return f"{number}{ending}", number * _SCALES[unit]


def spelled(number: int) -> str:
    """A number below a hundred in words."""
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")


def _whole(rng: Random, unit: str) -> int:
    return rng.choice(_ROUND[unit]) if rng.random() < 0.5 else rng.randrange(1 if unit != "ms" else 50, _LIMITS[unit])


def _worded(rng: Random, gap: str, *, plural: bool) -> tuple[str, int]:
    unit = rng.choices(("s", "m", "h"), (0.5, 0.38, 0.12))[0]
    number = rng.choice((*range(2, 13), 15, 20, 25, 30, 40, 45, 50, 60, 90)) if unit != "h" else rng.randrange(2, 9)
    if rng.random() < 0.15:
        number = rng.randrange(2, 100) if unit != "h" else number
    if plural and number < 13 and rng.random() < 0.2:
        return f"{spelled(number)} and a half {_LONG[unit]}s", number * _SCALES[unit] + _SCALES[unit] // 2
    return f"{spelled(number)}{gap}{_LONG[unit]}{'s' if plural else ''}", number * _SCALES[unit]


def _plain(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}".rstrip("0")


def _decimal(rng: Random) -> tuple[str, int]:
    unit = rng.choices(("s", "m", "h"), (0.4, 0.42, 0.18))[0]
    hundredths = rng.randrange(10 if unit != "h" else 4) * 100 + rng.choice(_FRACTIONS)
    name = rng.choice([name for name in _NAMES[unit] if name not in (" second", " minute", " hour", "m")])
    return f"{_plain(hundredths)}{name}", hundredths * _SCALES[unit] // 100


def _compound(rng: Random) -> tuple[str, int]:
    large, small = rng.choice((("m", "s"), ("m", "s"), ("h", "m")))
    first, second = rng.randrange(1, 10 if large == "m" else 4), rng.choice((5, 10, 15, 20, 30, 30, 40, 45, 50))
    total = first * _SCALES[large] + second * _SCALES[small]
    short = {"s": "sec", "m": "min", "h": "h"}
    end = "s" if first > 1 else ""
    forms = (
        f"{first} {_LONG[large]}{end} and {second} {_LONG[small]}s",
        f"{first} {_LONG[large]}{end} {second} {_LONG[small]}s",
        f"{first} {short[large]} {second} {short[small]}", f"{first}{large}{second}{small}",
        f"{first}{large} {second}{small}",
    )  # fmt: skip
    return rng.choice(forms), total


_NUMBER_WORDS = {spelled(number): number for number in range(1, 100)} | {"a": 1, "an": 1}
_UNIT = (
    r"(?:(?P<ms>ms|msec|millis|milliseconds?)|(?P<s>seconds?|secs?|s)|(?P<m>minutes?|mins?|m)|(?P<h>hours?|hrs?|hr|h))"
)
_WORDS = "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True))
_IN_DIGITS = re.compile(rf"(?<![\d.])(?P<n>\d+(?:\.\d+)?)[ -]?{_UNIT}(?![a-z])", re.IGNORECASE)
_IN_WORDS = re.compile(rf"\b(?P<n>{_WORDS})(?P<half> and a half)?[ -]{_UNIT}\b(?P<after> and a half\b)?", re.IGNORECASE)
_PARTS = re.compile(rf"\b(?P<n>half|three quarters|quarter)(?: of)?(?: an?|-)? ?{_UNIT}\b", re.IGNORECASE)
_SHARES = {"half": 0.5, "quarter": 0.25, "three quarters": 0.75}


def times_in(text: str) -> set[int]:
    """Every span of time that a text names, in milliseconds, and the sum of two that stand side by side."""
    spots: list[tuple[int, int, int]] = []
    for pattern in (_IN_DIGITS, _IN_WORDS, _PARTS):
        for match in pattern.finditer(re.sub(r"(\d[hm])(?=\d)", r"\1 ", text)):
            spots.append((match.start(), match.end(), round(_number(match) * _scale(match))))
    flat = re.sub(r"(\d[hm])(?=\d)", r"\1 ", text)
    sums = {a[2] + b[2] for a in spots for b in spots if flat[a[1] : b[0]] in (" ", " and ") and a[1] < b[0]}
    return {value for _, _, value in spots} | sums


def _number(match: re.Match[str]) -> float:
    said = match["n"].lower()
    if said in _SHARES:
        return _SHARES[said]
    if said[0].isdigit():
        return float(said)
    half = match.groupdict().get("half") or match.groupdict().get("after")
    return _NUMBER_WORDS[said] + (0.5 if half else 0)


def _scale(match: re.Match[str]) -> int:
    return next(scale for unit, scale in _SCALES.items() if match[unit])
