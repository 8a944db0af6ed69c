"""The configuration: file, environment and options, and what is said of a key that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.config import Config, load_config
from features.errors import WrongUsage


def written(folder: Path, text: str) -> Path:
    file = folder / "evenhand.toml"
    file.write_text(text)
    return file


def test_every_key_has_a_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config().force == "simulated"


def test_the_file_in_the_project_shows_the_defaults():
    shipped = load_config(Path(__file__).parents[2] / "evenhand.toml")
    assert shipped.model_dump() == Config.model_construct().model_dump()


def test_an_option_comes_before_the_environment_and_that_before_the_file(tmp_path, monkeypatch):
    file = written(tmp_path, "seed = 3\n[review]\ncapacity = 7\n")
    assert load_config(file).seed == 3
    assert load_config(file).review.capacity == 7
    monkeypatch.setenv("EVENHAND_SEED", "4")
    monkeypatch.setenv("EVENHAND_REVIEW__SAMPLE", "9")
    assert load_config(file).seed == 4
    assert load_config(file).review.sample == 9
    assert load_config(file, seed=5).seed == 5
    assert load_config(file, seed=None).seed == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede = 1\n", "unknown key 'sede'. Did you mean 'seed'?"),
        ("[review]\ncapcity = 1\n", "unknown key 'review.capcity'. Did you mean 'capacity'?"),
        ("seed = 'many'\n", "'seed' = 'many'"),
        ("[review]\nmin_lift = -1\n", "'review.min_lift' = -1"),
        ("seed = \n", "not valid TOML"),
    ],
)
def test_a_key_that_cannot_be_is_named_with_what_to_do(tmp_path, text, said):
    with pytest.raises(WrongUsage) as refused:
        load_config(written(tmp_path, text))
    assert said in str(refused.value)
    assert "evenhand.toml" in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WrongUsage, match=r"there is no such file"):
        load_config(tmp_path / "none.toml")
