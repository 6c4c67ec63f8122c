"""The kinds of values that stand behind `<kind>` and `{kind}` in the pools."""

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol

from pytest_mcpbench.training.generate.assembling import command_line
from pytest_mcpbench.training.generate.coining import Coin
from pytest_mcpbench.training.generate.snippets import Snippets

Kind = Callable[[], str]

_BRANCHES = ("feature/{a}", "fix/{a}-{b}", "{a}-{b}", "release/{version}", "{a}", "hotfix-{a}", "{b}/{a}")
_MESSAGES = (
    "{verb} {a}", "{verb} the {a} {b}", "Fix {a} {b}", "fix: {verb} {a}", "feat({a}): add {b}", "Add {a} and {b}",
    "WIP {a}", "Remove unused {a}", "docs: update {a}", "Bump version to {version}",
)  # fmt: skip
_HOSTS = ("www.{a}", "api.{a}", "{a}", "{a}", "db.{a}", "mail.{a}")
_DOMAINS = ("com", "org", "io", "net", "dev", "de", "internal", "example.com")
_URL_ENDS = ("", "/{b}", ".json", ".git", "?id={n}")
_TESTS = ("tests/test_{a}.py", "test_{a}.py", "tests/{a}", "tests/unit/test_{a}.py", "test/{a}_test.py")
_REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements/{a}.txt", "{a}.txt")
_TASKS = ("build", "lint", "dev", "test", "clean", "docs", "format", "{a}", "build:{a}", "test-{a}")
_FLAGS = ("verbose", "limit", "dry-run", "seed", "{a}", "{a}-{b}")
_TEXTS = ("txt", "log", "csv", "json", "yaml", "py", "md", "sql", "conf", "ts", "rs")
_IMAGES = ("ubuntu:24.04", "python:3.12-slim", "node:20-alpine", "postgres:16", "{a}:{version}", "ghcr.io/{a}/{b}")


class Drawn(Protocol):
    """What the kinds are composed from."""

    rng: Random
    verbs: tuple[str, ...]
    names: tuple[str, ...]
    places: tuple[str, ...]
    specials: tuple[str, ...]

    def stem(self) -> str: ...  # noqa: D102 - documented where they are defined
    def word(self) -> str: ...  # noqa: D102
    def phrase(self) -> str: ...  # noqa: D102
    def path(self, extension: str | None = None) -> str: ...  # noqa: D102
    def folder(self) -> str: ...  # noqa: D102
    def extension(self) -> str: ...  # noqa: D102
    def package(self, tool: str) -> str: ...  # noqa: D102
    def snake(self) -> str: ...  # noqa: D102
    def camel(self) -> str: ...  # noqa: D102
    def pascal(self) -> str: ...  # noqa: D102
    def constant(self) -> str: ...  # noqa: D102
    def kebab(self) -> str: ...  # noqa: D102


def kind_table(values: Drawn) -> Mapping[str, Kind]:
    """A way to draw a value for each kind by its name."""
    return {**_words(values), **_paths(values), **_numbers(values.rng), **_machines(values), **_packages(values)}


def composed_kinds(coin: Coin, snippets: Snippets) -> dict[str, Kind]:
    """The kinds whose names begin with x: coined words, and what is assembled of them."""
    return {
        "xw": coin.word,
        "XW": lambda: coin.word().capitalize(),
        "xi": coin.snake,
        "XI": coin.pascal,
        "XC": coin.constant,
        "xk": coin.kebab,
        "xn": coin.whole,
        "xd": lambda: str(coin.rng.randrange(1, 10)),
        "xf": coin.number,
        "xl": coin.letter,
        "xs": snippets.literal,
        "xe": snippets.expression,
        "xt": lambda: coin.sentence(3, 9),
        "xq": lambda: coin.sentence(2, 7, plain=True),
        "xa": coin.with_apostrophe,
        "xc": lambda: command_line(coin),
        "xp": lambda: "/".join(coin.kebab() for _ in range(coin.rng.choice((1, 1, 2)))) + "." + coin.rng.choice(_TEXTS),
    }


def _words(values: Drawn) -> dict[str, Kind]:
    return {
        "stem": values.stem,
        "word": values.word,
        "Word": lambda: values.word().capitalize(),
        "user": lambda: values.word().lower(),
        "id": values.snake,
        "idc": values.camel,
        "Id": values.pascal,
        "CONST": values.constant,
        "const": lambda: values.constant().lower(),
        "kebab": values.kebab,
        "phrase": values.phrase,
        "Name": lambda: values.rng.choice(values.names),
        "Place": lambda: values.rng.choice(values.places),
        "msg": lambda: _shaped(values, _MESSAGES),
        "branch": lambda: _shaped(values, _BRANCHES),
        "tag": lambda: f"v{version(values.rng)}",
        "task": lambda: _shaped(values, _TASKS),
        "flag": lambda: _shaped(values, _FLAGS),
    }


def _paths(values: Drawn) -> dict[str, Kind]:
    return {
        "file": values.path,
        "mention": values.path,
        "special": lambda: values.rng.choice(values.specials),
        "dir": values.folder,
        "folder": values.folder,
        "ext": values.extension,
        "py": lambda: values.path("py"),
        "jsfile": lambda: values.path("js"),
        "sh": lambda: values.path("sh"),
        "json": lambda: values.path("json"),
        "yaml": lambda: values.path(values.rng.choice(("yaml", "yml"))),
        "zip": lambda: values.path("zip"),
        "tgz": lambda: values.path("tar.gz"),
        "test": lambda: _shaped(values, _TESTS),
        "reqs": lambda: _shaped(values, _REQUIREMENTS),
        "venv": lambda: _shaped(values, (".venv", "venv", "{a}-env")),
    }


def _numbers(rng: Random) -> dict[str, Kind]:
    def between(low: int, high: int) -> Kind:
        return lambda: str(rng.randrange(low, high))

    return {
        "n": between(2, 1000),
        "m": between(2, 1000),
        "d": between(1, 10),
        "h": between(1, 13),
        "yy": between(10, 27),
        "port": between(1024, 9999),
        "pid": between(100, 99999),
        "ver": lambda: version(rng),
        "hex": lambda: _hexadecimal(rng, 6),
        "sha": lambda: _hexadecimal(rng, rng.choice((7, 8, 12))),
    }


def _machines(values: Drawn) -> dict[str, Kind]:
    return {
        "host": lambda: _host(values),
        "url": lambda: f"https://{_host(values)}/{values.stem()}{_shaped(values, _URL_ENDS)}",
        "email": lambda: f"{values.word().lower()}@{values.stem()}.{values.rng.choice(_DOMAINS[:4])}",
        "svc": lambda: _shaped(values, ("nginx", "docker", "sshd", "{a}")),
        "image": lambda: _shaped(values, _IMAGES),
    }


def _packages(values: Drawn) -> dict[str, Kind]:
    def from_tool(tool: str) -> Kind:
        return lambda: values.package(tool)

    tools = ("pip", "npm", "apt", "brew", "cargo", "gem")
    return {**{tool: from_tool(tool) for tool in tools}, "pypkg": lambda: re.sub(r"\W", "_", values.package("pip"))}


def version(rng: Random) -> str:
    """A version number of two or three parts."""
    parts = [rng.randrange(0, 12), rng.randrange(0, 30), rng.randrange(0, 20)]
    return ".".join(str(part) for part in parts[: rng.choice((2, 3, 3))])


def _host(values: Drawn) -> str:
    return f"{_shaped(values, _HOSTS)}.{values.rng.choice(_DOMAINS)}"


def _hexadecimal(rng: Random, length: int) -> str:
    return "".join(rng.choice("0123456789abcdef") for _ in range(length))


def _shaped(values: Drawn, shapes: tuple[str, ...]) -> str:
    return values.rng.choice(shapes).format(
        a=values.stem(),
        b=values.word().lower(),
        verb=values.rng.choice(values.verbs),
        n=values.rng.randrange(100),
        version=version(values.rng),
    )
