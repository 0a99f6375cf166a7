"""The plugin's settings: what the program says, and else what MLflow's environment variables say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from ._plugin import Setting

#: Settings of which one side rules out the other: what the program says is not joined by the environment's other way to say it.
ALTERNATIVES = (({"experiment_id"}, {"experiment_name"}), ({"token"}, {"username", "password"}))


class Settings(TypedDict, total=False):
    """The settings, as `mlflow_wasm_logger.settings()` describes them."""

    tracking_uri: str
    experiment_name: str
    experiment_id: str | int
    run_id: str
    token: str
    username: str
    password: str
    workspace: str
    headers: Mapping[str, str]
    protocol: str
    routes: list[dict[str, Any]]
    client_experiments: bool
    batch_max_spans: int
    batch_max_bytes: int
    compression: str
    queue_max_bytes: int
    flush_interval_ms: int
    timeout_ms: int
    retry_max_elapsed_ms: int
    capture: Mapping[str, Any]
    redact: Any
    media: str
    user_hash_key: str
    max_value_bytes: int
    sample_ratio: float
    sample_errors: bool
    parent: str
    prices: Mapping[str, Any]


class SettingError(ValueError):
    """A setting that the plugin does not take: `key`, and `reason` with the mend."""

    def __init__(self, key: str, reason: str, source: str | None = None) -> None:
        super().__init__(f"`{key}`{f' ({source})' if source else ''}: {reason}")
        self.key = key
        self.reason = reason


def gather(told: Mapping[str, Any], known: Iterable[Setting], environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """All settings. Of an experiment's id and its name in the environment the id counts: `mlflow.set_experiment` sets it."""
    settings = {key: value for key, value in told.items() if value is not None}
    found = {setting.key: environment[setting.env] for setting in known if setting.env and environment.get(setting.env)}
    if "experiment_id" in found:
        found.pop("experiment_name", None)
    for sides in ALTERNATIVES:
        for one, other in (sides, sides[::-1]):
            if one & settings.keys():
                found = {key: value for key, value in found.items() if key not in other}
    return found | settings


def encode(settings: Mapping[str, Any]) -> str:
    """The argument of `configure`."""
    for key, value in settings.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise SettingError(key, f"not a value that JSON has: {error}") from None
    return json.dumps(settings)


def source(key: str, told: Mapping[str, Any], known: Iterable[Setting]) -> str | None:
    """The environment variable that a setting was taken from, if it was."""
    if told.get(key) is not None:
        return None
    variable = next((setting.env for setting in known if setting.key == key), None)
    return f"the environment variable {variable}" if variable and os.environ.get(variable) else None
