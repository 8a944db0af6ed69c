"""The workspace's configuration: `evenhand.toml`, every key with a default, and the environment above it.

`EVENHAND_<KEY>` (nested keys joined with `__`) overrides the file, and a command's option overrides both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from features.errors import WrongUsage, did_you_mean

DEFAULT_FILE = Path("evenhand.toml")


class Review(BaseModel):
    """What reviewers can do and what a lead needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capacity: int = Field(
        default=0, ge=0, description="leads a batch may open; 0 means 1 % of the cohort, at least 10"
    )
    sample: int = Field(
        default=5, ge=0, description="people drawn at random of everyone below the leads, for desk review"
    )
    band_sample: int = Field(
        default=2, ge=0, description="people drawn beside them from each band of scores below the leads"
    )
    bands: tuple[float, ...] = Field(
        default=(0.05, 0.20),
        description="where the bands end, as shares of those below the leads from the top",
    )
    min_lift: float = Field(
        default=3.0, gt=0, description="the threshold's least confirmed rate, as a multiple of the base rate"
    )


class Study(BaseModel):
    """How runs are measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    draws: int = Field(default=1000, ge=200, description="bootstrap draws of an interval")
    threads: int = Field(default=2, ge=1, description="threads LightGBM may use")


class Monitor(BaseModel):
    """From when on a model may not go on scoring; see `models.monitoring.Limits`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    psi: float = Field(
        default=0.25, gt=0, description="drift of a feature or of the scores, beyond what chance may reach"
    )
    missing: float = Field(
        default=0.10, gt=0, le=1, description="change of the share of people of whom a feature is unknown"
    )
    label_psi: float = Field(default=0.25, gt=0, description="change of how cases come about")
    least_gain: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="a feature with a smaller share in the model's gain is only shown",
    )
    false_alarms: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="chance that checks of one kind give an alarm while nothing has changed",
    )


class Config(BaseSettings):
    """Everything a command needs to know about the workspace; paths are relative to where it runs."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="EVENHAND_", env_nested_delimiter="__"
    )

    force: str = Field(default="simulated", description="a force that ships, or the path of a definition")
    data: str = Field(default="data", description="folder of extracts, or a database URL")
    out: Path = Field(
        Path("build"), description="what the commands write: accepted rows, features, scores, cards"
    )
    runs: Path = Field(default=Path("mlruns"), description="the MLflow store")
    suites: Path = Field(
        default=Path("expectations"), description="Great Expectations suites, one folder a force"
    )
    governance: Path = Field(
        default=Path("governance.toml"), description="the records that software cannot know"
    )
    register_url: str = Field(
        default="sqlite:///build/register.db",
        description="the register of leads, a SQLAlchemy URL of SQLite or PostgreSQL",
    )
    seed: int = Field(default=1, ge=0, description="seed of everything that draws")
    review: Review = Review()
    study: Study = Study()
    monitor: Monitor = Monitor()
    spark: dict[str, Any] = Field(
        default_factory=dict, description="Spark's own keys without `spark.`, for --engine spark"
    )

    @property
    def spark_settings(self) -> dict[str, str]:
        """The keys of Spark's configuration as Spark writes them."""
        return dict(_flat(self.spark, "spark"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_config(file: Path | None = None, **overrides: Any) -> Config:
    """The configuration of `file` (`evenhand.toml` here, if there is one), with `overrides` that are not None.

    Raises:
        WrongUsage: the file is missing or unreadable, or holds an unknown key or a value that cannot be.
    """
    if file is not None and not file.is_file():
        raise WrongUsage(f"--config {file}: there is no such file. Leave the option out to use the defaults.")
    path = file or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)

    # Where the file lies is known only now, and a settings class reads it from its own configuration.
    class Located(Config):
        model_config = SettingsConfigDict(**{**Config.model_config, "toml_file": path})

    try:
        found = Located(**{key: value for key, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise WrongUsage(_explain(error, path)) from error
    except ValueError as error:  # tomllib.TOMLDecodeError names the line
        raise WrongUsage(f"{path} is not valid TOML: {error}. Mend the line named.") from error
    return Config.model_construct(**{name: getattr(found, name) for name in Config.model_fields})


def _flat(keys: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Nested keys in one line each, truth as Spark spells it.

    >>> dict(_flat({"master": "yarn", "sql": {"adaptive.enabled": True}}, "spark"))
    {'spark.master': 'yarn', 'spark.sql.adaptive.enabled': 'true'}
    """
    for key, value in keys.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", str(value).lower() if isinstance(value, bool) else str(value)


def _explain(error: ValidationError, path: Path | None) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(
                f"unknown key '{key}'. {did_you_mean(str(problem['loc'][-1]), _known_keys(problem['loc']))}"
            )
        else:
            lines.append(f"'{key}' = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}.")
    return f"{path or 'configuration'}: " + "\n  ".join(lines)


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = (
        {"review": Review, "study": Study, "monitor": Monitor}.get(str(loc[0]), Config)
        if len(loc) > 1
        else Config
    )
    return list(section.model_fields)
