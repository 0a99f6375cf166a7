"""Settings: by keyword, by environment, and wrong ones."""

import json

import pytest

import mlflow_wasm_logger
from mlflow_wasm_logger import Logger, MlflowWasmLogger, SettingError, Settings, _settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for setting in mlflow_wasm_logger.settings():
        if setting.env:
            monkeypatch.delenv(setting.env, raising=False)


def gathered(environment, **told):
    return _settings.gather(told, mlflow_wasm_logger.settings(), environment)


def test_the_types_name_the_settings_that_there_are():
    assert set(Settings.__annotations__) == {setting.key for setting in mlflow_wasm_logger.settings()}


def test_keywords_win_over_the_environment():
    environment = {"MLFLOW_TRACKING_URI": "http://a", "MLFLOW_EXPERIMENT_NAME": "e", "MLFLOW_TRACKING_TOKEN": "t"}
    assert gathered(environment) == {"tracking_uri": "http://a", "experiment_name": "e", "token": "t"}
    told = gathered(environment, tracking_uri="http://b", experiment_id=7, username="u", password=None)
    assert told == {"tracking_uri": "http://b", "experiment_id": 7, "username": "u"}


def test_the_experiment_that_mlflow_was_set_to_counts():
    environment = {"MLFLOW_EXPERIMENT_NAME": "e", "MLFLOW_EXPERIMENT_ID": "3"}
    assert gathered(environment) == {"experiment_id": "3"}


@pytest.mark.parametrize("kind", [Logger, MlflowWasmLogger])
def test_a_wrong_setting_raises_at_once_with_the_plugins_words(kind):
    with pytest.raises(SettingError, match="`tracking_uri`: required: the MLflow server's URL"):
        kind()
    with pytest.raises(SettingError, match="`experiment`: unknown setting; ") as wrong:
        kind(tracking_uri="http://127.0.0.1:1", experiment="e")
    assert wrong.value.key == "experiment"
    with pytest.raises(SettingError, match=r"`tokn`: unknown setting; did you mean `token`\?"):
        kind(tracking_uri="http://127.0.0.1:1", tokn="t")
    with pytest.raises(SettingError, match="`sample_ratio`: "):
        kind(tracking_uri="http://127.0.0.1:1", sample_ratio=7)
    with pytest.raises(SettingError, match="`headers`: not a value that JSON has"):
        kind(tracking_uri="http://127.0.0.1:1", headers={"a": object()})


def test_the_variable_is_named_that_is_wrong(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    with pytest.raises(SettingError, match=r"`tracking_uri` \(the environment variable MLFLOW_TRACKING_URI\): a URL that begins"):
        Logger()


def test_secrets_are_in_no_message(caplog):
    with pytest.raises(SettingError) as wrong:
        Logger(tracking_uri="http://127.0.0.1:1", token="canary-2\x01")
    assert "canary" not in str(wrong.value)
    logger = Logger(tracking_uri="http://127.0.0.1:1", headers={"x-key": "canary-3"})
    logger.log("success", json.dumps({"kwargs": {"model": "m"}}).encode(), 1, 2)
    assert not logger.flush(2)
    logger.close(0)
    assert "cannot be reached" in caplog.text and "canary" not in caplog.text
