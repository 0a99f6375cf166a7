"""litellm's calls as MLflow traces, logged by a WebAssembly plugin off the calling thread.

    import litellm
    from mlflow_wasm_logger import MlflowWasmLogger

    litellm.callbacks = [MlflowWasmLogger(tracking_uri="http://127.0.0.1:5000", experiment_name="litellm")]

`Logger` is the same without litellm.
"""

from typing import TYPE_CHECKING, Any

from ._logger import Logger, settings
from ._plugin import Setting
from ._settings import SettingError, Settings

if TYPE_CHECKING:
    from ._litellm import MlflowWasmLogger

__all__ = ["Logger", "MlflowWasmLogger", "Setting", "SettingError", "Settings", "settings"]


def __getattr__(name: str) -> Any:
    # litellm takes seconds to import, and is not needed for the rest.
    if name == "MlflowWasmLogger":
        from ._litellm import MlflowWasmLogger

        return MlflowWasmLogger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
