"""Where a run takes place, and whether times of two places compare."""

from dataclasses import replace

from pytest_mcpbench.core.environment import environment, machine_fingerprint


def test_a_fingerprint_changes_with_whatever_decides_the_speed_and_with_nothing_else() -> None:
    here = environment()
    own = machine_fingerprint(here)
    assert len(own) == 12
    assert int(own, 16) >= 0
    assert machine_fingerprint(environment()) == own
    assert machine_fingerprint(replace(here, python="3.99.0", packages={}, plugin="x", platform="y")) == own
    others = [
        machine_fingerprint(replace(here, machine="another")),
        machine_fingerprint(replace(here, accelerator="NVIDIA H100")),
        machine_fingerprint(replace(here, threads=(here.threads or 0) + 1)),
        machine_fingerprint(here, threads=1000),
    ]
    assert len({own, *others}) == 5


def test_the_environment_names_this_python_and_the_packages_that_are_installed() -> None:
    found = environment()
    assert found.python.count(".") == 2
    assert found.packages["scipy"].startswith("1.")
    assert found.cpu_count >= 1
    assert len(found.machine) == 12
    assert found == environment()
