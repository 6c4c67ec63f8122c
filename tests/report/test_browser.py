"""The page in a real browser, without a network: it opens, it filters, it fits, and it runs no text of a model."""

import html
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mcpbench.core.match import Mismatch
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.html.page import render_report
from tests.report.conftest import HOSTILE, four_models

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]

Browse = Callable[..., str]

FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><body style="margin:0">
<iframe id="f" src="page.html{hash}" style="width:{width}px;height:900px;border:0"></iframe><pre id="out"></pre>
<script>
  const frame = document.getElementById("f"), out = document.getElementById("out");
  const ready = () => frame.contentDocument?.documentElement.dataset.ready === "yes";
  const look = setInterval(() => {{
    if (!ready()) return;
    clearInterval(look);
    const page = frame.contentDocument, $ = (query) => page.querySelector(query);
    Promise.resolve().then(async () => {{ {script} }}).then((value) => {{ out.textContent = JSON.stringify(value); }})
      .catch((error) => {{ out.textContent = `failed: ${{error}}`; }});
  }}, 50);
</script>"""

WAIT = "const wait = () => new Promise((done) => setTimeout(done, 200));"


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """What a script says about the page in a frame of so many pixels."""

    def look(page: str, script: str, *, width: int = 1280, fragment: str = "", flags: tuple[str, ...] = ()) -> str:
        (tmp_path / "page.html").write_text(page, encoding="utf-8")
        frame = tmp_path / "frame.html"
        frame.write_text(FRAME.format(width=width, hash=fragment, script=script), encoding="utf-8")
        done = subprocess.run(
            [
                str(CHROMIUM),
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"),
                *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=15000", "--window-size=1400,1000"),
                *(f"--user-data-dir={tmp_path / 'profile'}", *flags, "--dump-dom", frame.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
        assert found, done.stderr[-2000:]
        return html.unescape(found[1])

    return look


@pytest.fixture(scope="module")
def page(run: RunResult) -> str:
    return render_report(run)


def test_the_page_opens_and_lists_what_was_missed(browse: Browse, page: str, run: RunResult) -> None:
    missed = sum(record.error_kind is not None for record in run.records)
    assert browse(page, 'return $("#count").textContent;') == f'"{missed} of {len(run.records)} answers"'


def test_a_case_link_opens_every_models_answer_to_that_case(browse: Browse, page: str, run: RunResult) -> None:
    case = run.records[0].case
    said = browse(
        page,
        WAIT + "await wait(); return [page.querySelectorAll('.item[open]').length, page.activeElement.id, "
        "Math.round($('#cases').getBoundingClientRect().top), $('.item .body').innerText];",
        fragment=f"#case={case}",
    )
    assert said.startswith(f'[{len(run.models)},"count",0,')
    for word in ("Prompt", "Raw output", "Expected", "Got"):
        assert word in said


def test_filters_narrow_the_list_by_model_tool_level_kind_words_and_flips(
    browse: Browse, page: str, run: RunResult
) -> None:
    script = (
        WAIT
        + """
      const count = async (changes) => {
        $("#filters").reset();
        await wait();
        for (const [id, value] of Object.entries(changes)) $(`#f-${id}`).value = value;
        $("#filters").dispatchEvent(new Event("input", {bubbles: true}));
        await wait();
        return Number($("#count").textContent.split(" ")[0].replaceAll(",", ""));
      };
      return [await count({model: "int4"}), await count({outcome: "y", level: "2", model: "base"}),
        await count({kind: "wrong_tool"}), await count({text: "MODULE_3 first", outcome: ""}),
        await count({flip: "0-lost"}), await count({tool: "write", outcome: ""})];
    """
    )
    flips = run.comparisons[0]
    lost = {case for level in ("level3", "level4") for case in flips.levels[level].lost}
    prompts = {case.id: case.prompt.lower() for case in run.cases.items}
    tools = {case.id: case.expected_tools for case in run.cases.items}
    expected = [
        sum(r.model == "int4" and r.error_kind is not None for r in run.records),
        sum(r.model == "base" and r.levels["level3"] is True for r in run.records),
        sum(r.error_kind == "wrong_tool" for r in run.records),
        sum("module_3" in prompts[r.case] and "first" in prompts[r.case] for r in run.records),
        2 * len(lost),
        sum("write" in tools[r.case] for r in run.records),
    ]
    assert browse(page, script) == str(expected).replace(" ", "")


FITS = """
      for (const box of page.querySelectorAll("details")) box.open = true;
      const wide = [...page.querySelectorAll("main *")].filter((e) => !e.closest(".scroll, svg, .hidden, pre, .bar")
        && e.getBoundingClientRect().right > page.documentElement.clientWidth + 1);
      const root = page.documentElement;
      return [root.scrollWidth - root.clientWidth, wide.slice(0, 3).map((e) => e.outerHTML.slice(0, 120))];
"""


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_width_with_every_section_open(browse: Browse, page: str, width: int) -> None:
    assert browse(page, FITS, width=width) == "[0,[]]"


def test_the_page_fits_a_phone_whatever_tools_a_model_made_up(browse: Browse, hostile: RunResult) -> None:
    called = [
        Mismatch(call=0, path="", want="read", got=text + "x" * 100, why="wrong_tool") for text in HOSTILE.values()
    ]
    records = tuple(
        replace(record, error_kind="unknown_tool", mismatches=(mismatch,))
        for record, mismatch in zip(hostile.records, called, strict=True)
    )
    assert browse(render_report(replace(hostile, records=records)), FITS, width=390) == "[0,[]]"


def test_the_page_follows_light_and_dark_with_readable_contrast(browse: Browse, page: str) -> None:
    script = """
      const light = (colour) => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const paper = light(getComputedStyle(page.body).backgroundColor);
      const texts = ".pill, .note, .tier strong, dt, a, h2, .why, .next, td, summary";
      const low = [...page.querySelectorAll(texts)].filter((e) => {
        let box = e, back = null;
        while (box && !back) {
          const colour = getComputedStyle(box).backgroundColor;
          if (colour !== "rgba(0, 0, 0, 0)" && !colour.startsWith("color(")) back = colour;
          box = box.parentElement;
        }
        return contrast(light(getComputedStyle(e).color), light(back ?? "rgb(255, 255, 255)")) < 4.5;
      });
      return [paper > 0.5, low.slice(0, 3).map((e) => e.outerHTML.slice(0, 120))];
    """
    assert browse(page, script) == "[true,[]]"
    assert browse(page, script, flags=("--force-dark-mode",)) == "[false,[]]"


def test_everything_is_reached_by_keyboard_and_named_for_those_who_cannot_see(browse: Browse, page: str) -> None:
    script = """
      const named = "a, button, input, select, [role=img], [role=region], svg";
      const unnamed = [...page.querySelectorAll(named)].filter((e) =>
        !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length));
      const unreachable = [...page.querySelectorAll(".scroll")].filter((e) => e.tabIndex !== 0);
      const handlers = [...page.querySelectorAll("div, span, td")].filter((e) => e.onclick);
      return [unnamed.length, unreachable.length, handlers.length, page.documentElement.lang,
        [...page.querySelectorAll("h1, h2, h3")].length > 10, page.querySelectorAll("h1").length];
    """
    assert browse(page, script) == '[0,0,0,"en",true,1]'


def test_hostile_texts_do_nothing_and_show_as_text(browse: Browse, hostile: RunResult) -> None:
    script = (
        WAIT
        + """
      $("#f-outcome").value = "";
      $("#filters").dispatchEvent(new Event("input", {bubbles: true}));
      await wait();
      for (const box of page.querySelectorAll("details")) box.open = true;
      await wait();
      return [page.documentElement.dataset.pwned ?? "safe", page.querySelectorAll("#pwned, img").length,
        page.querySelectorAll("script").length, page.querySelectorAll(".item .body").length,
        [...page.querySelectorAll("pre")].some((e) => e.textContent.includes("<script>document"))];
    """
    )
    assert browse(render_report(hostile), script) == f'["safe",0,2,{len(HOSTILE)},true]'


def test_ten_thousand_answers_open_in_under_two_seconds(browse: Browse) -> None:
    page = render_report(four_models(125))  # 2,500 cases of 4 models
    start = time.perf_counter()
    browse(page, "return performance.now();", flags=("--virtual-time-budget=3000",))
    empty = time.perf_counter()
    browse("<html data-ready=yes>", "return 1;", flags=("--virtual-time-budget=3000",))
    assert (empty - start) - (time.perf_counter() - empty) < 2
