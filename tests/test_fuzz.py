"""Shipped configs, mutated: the resolver says why or resolves, `ot check` exits 0 or 2.

`make test` tries the same examples each time; `make fuzz` (tests/fuzz.py) searches on
with new ones.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_mutations import CHECKED, arguments, as_file, check, mutated_data, mutated_text
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError

ROOT = Path(__file__).parent.parent
SEARCHING = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not SEARCHING,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

RANDOM = st.randoms(use_true_random=False)
SHIPPED = sorted(path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.yaml"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_checked_config_is_right(folder: Path) -> None:
    (folder / "config.yaml").write_text(CHECKED, encoding="utf-8")
    result = check("config.yaml")
    assert (result.exit_code, result.stdout) == (0, "ok: 1 model, 12 components\n")


@fuzzed
@given(random=RANDOM)
def test_mutated_shipped_config_resolves_or_says_why(folder: Path, random: Random) -> None:
    main_file, changed = random.choice(SHIPPED), random.choice(SHIPPED)
    original = (ROOT / changed).read_text(encoding="utf-8")
    text = mutated_text(random, original)
    (folder / changed).write_text(text, encoding="utf-8", newline="")
    with suppress(ConfigError):
        resolve_config(folder / main_file, arguments(random), environ={})
    (folder / changed).write_text(original, encoding="utf-8")


@fuzzed
@given(random=RANDOM)
def test_check_of_a_mutated_file_and_any_arguments(folder: Path, random: Random) -> None:
    text = mutated_text(random, CHECKED)
    (folder / "config.yaml").write_text(text, encoding="utf-8", newline="")
    check("config.yaml", *arguments(random))


@fuzzed
@given(random=RANDOM)
def test_check_of_a_config_with_other_values(folder: Path, random: Random) -> None:
    (folder / "config.yaml").write_text(as_file(mutated_data(random)), encoding="utf-8")
    check("config.yaml")


@fuzzed
@given(content=st.binary(max_size=60))
def test_check_of_any_bytes(folder: Path, content: bytes) -> None:
    (folder / "config.yaml").write_bytes(content)
    check("config.yaml")
