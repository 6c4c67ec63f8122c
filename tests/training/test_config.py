from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.errors import ConfigError
from pytest_mcpbench.training import MCPFineTuningConfig
from pytest_mcpbench.training.config import FIELDS, PRESETS, kind_of, load_config, parse_setting, rule_of, with_settings


def test_the_defaults_are_those_of_the_guide() -> None:
    assert MCPFineTuningConfig() == MCPFineTuningConfig(
        model_name="microsoft/Phi-4",
        learning_rate=5e-5,
        num_train_epochs=5,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=4,
        max_seq_length=1024,
        lora_r=32,
        lora_alpha=64,
        lora_dropout=0.05,
        early_stopping_patience=3,
        validation_split=0.2,
        weight_decay=0.01,
    )


def test_presets_give_the_guide_s_ranks_with_alpha_twice_as_high() -> None:
    ranks = {name: (load_config(preset=name).lora_r, load_config(preset=name).lora_alpha) for name in PRESETS}
    assert ranks == {"budget": (16, 32), "optimal": (32, 64), "research": (64, 128), "small": (32, 64)}


def test_the_small_preset_trains_fast_in_batches_of_64() -> None:
    small = load_config(preset="small")
    assert (small.learning_rate, small.num_train_epochs, small.effective_batch_size) == (1e-3, 3, 64)


def test_flags_beat_the_file_and_the_file_beats_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('preset = "budget"\nlora_alpha = 48\nlearning_rate = 1\n')
    config = load_config(path, overrides={"lora_alpha": "24"})
    assert (config.lora_r, config.lora_alpha, config.learning_rate) == (16, 24, 1.0)
    assert isinstance(config.learning_rate, float)


def test_a_preset_given_beside_the_file_beats_the_one_it_names(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('preset = "budget"\n')
    assert load_config(path, preset="research").lora_r == 64


def test_every_bad_value_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('lora_r = "big"\nlearning_rate = 0\nnum_train_epochs = true\nlora_rank = 8\n')
    with pytest.raises(ConfigError) as caught:
        load_config(path, preset="huge", overrides={"seed": "x", "dtype": "int8"})
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: 7 problems: ")
    for part in (
        "preset 'huge' is unknown (presets: budget, optimal, research, small)",
        "lora_r is 'big', which is not a whole number",
        "learning_rate is 0.0; it must be above 0 and at most 1",
        "num_train_epochs is True, which is not a whole number",
        "'lora_rank' is no setting (nearest: lora_r)",
        "seed is 'x', which is not a whole number",
        "dtype is 'int8'; choose from auto, bfloat16, float32",
    ):
        assert part in message


@pytest.mark.parametrize("text", ["lora_r = ", "\xff", "lora_r = 1\nlora_r = 2"])
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="is no TOML") as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")


def test_the_class_itself_refuses_bad_values() -> None:
    with pytest.raises(ConfigError, match="lora_r is 0; it must be at least 1"):
        MCPFineTuningConfig(lora_r=0)
    with pytest.raises(ConfigError, match="learning_rate is nan"):
        MCPFineTuningConfig(learning_rate=float("nan"))


def test_changed_settings_are_checked_too() -> None:
    assert with_settings(MCPFineTuningConfig(), {"lora_r": 8}).lora_r == 8
    with pytest.raises(ConfigError, match="lora_dropout is 1"):
        with_settings(MCPFineTuningConfig(), {"lora_dropout": 1})


@given(st.sampled_from(sorted(FIELDS)), st.text(max_size=12))
def test_any_text_is_a_value_or_a_config_error(name: str, text: str) -> None:
    problem = None
    try:
        value = parse_setting(name, text)
    except ConfigError as error:
        problem = str(error)
    if problem is None:
        assert type(value) is kind_of(name)
        assert rule_of(name).problem(value, kind_of(name)) is None
    else:
        assert name in problem


@given(st.integers(0, 1000))
def test_a_fingerprint_tells_configurations_apart(seed: int) -> None:
    other = MCPFineTuningConfig(seed=seed)
    assert (other.fingerprint == MCPFineTuningConfig().fingerprint) == (other == MCPFineTuningConfig())
