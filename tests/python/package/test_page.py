"""docs/python.md: its snippets do what it says, one after the other as a newcomer would run them."""

import os
import re
import socket
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import pytest
from conftest import DEADLINE, found, root, wait_for

PAGE = Path(__file__).parents[3] / "docs/python.md"


def snippets(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def snippet(language, words):
    [one] = [text for text in snippets(language) if words in text]
    return one


@pytest.fixture
def run(uri, tmp_path):
    """Runs a snippet as a program, against the server under test and in an experiment of its own."""

    def run(text):
        text = text.replace("http://127.0.0.1:5000", uri)
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def named(text, experiment):
    """The snippet with another experiment, which no other run has used."""
    name = f"{experiment}-{uuid.uuid4().hex[:8]}"
    assert f'"{experiment}"' in text
    return text.replace(f'"{experiment}"', f'"{name}"'), name


def test_three_lines_log_a_call(run, uri):
    text, experiment = named(snippet("python", 'experiment_name="litellm"'), "litellm")
    run(text)
    [trace] = found(uri, experiment)
    assert root(trace).inputs["messages"] == [{"role": "user", "content": "2+2?"}]
    assert root(trace).outputs["choices"][0]["message"]["content"] == "4"


def test_a_call_within_a_span_is_its_child(run, uri):
    text, experiment = named(snippet("python", "start_span"), "agents")
    run(text)
    [trace] = wait_for(lambda: found(uri, experiment), lambda held: held and len(held[0].data.spans) == 2)
    assert root(trace).name == "agent"
    assert [span.name for span in trace.data.spans if span.parent_id == root(trace).span_id] == ["litellm-completion"]


def test_the_settings_are_listed(run):
    lines = run(snippet("python", "mlflow_wasm_logger.settings()")).splitlines()
    assert "tracking_uri None MLFLOW_TRACKING_URI" in lines and len(lines) > 20


def test_the_counts_are_shown(run):
    assert run(snippet("python", "callback.flush")).startswith("True {'delivered': 0, ")


def test_the_wheel_has_the_name_that_is_installed():
    import mlflow_wasm_logger

    [install] = [text for text in snippets("console") if "pip install" in text]
    site = Path(mlflow_wasm_logger.__file__).parents[1]
    [information] = site.glob("mlflow_wasm_logger-*.dist-info")
    assert f"{information.name.removesuffix('.dist-info')}-py3-none-any.whl" in install


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def answer(url, **kwargs):
    with urllib.request.urlopen(urllib.request.Request(url, **kwargs), timeout=30) as response:
        return response.read().decode()


def healthy(url):
    try:
        return answer(f"{url}/health/liveliness")
    except OSError:
        return None


def test_litellms_proxy_logs_what_it_forwards(uri, tmp_path):
    handler, experiment = named(snippet("python", "handler = "), "proxy")
    config = snippet("yaml", "callbacks: mlflow_callback.handler")
    # Nobody is asked: litellm itself answers.
    config = config.replace("api_key: os.environ/OPENAI_API_KEY", 'api_key: sk-canary\n      mock_response: "Four."')
    assert "mock_response" in config
    (tmp_path / "mlflow_callback.py").write_text(handler)
    (tmp_path / "config.yaml").write_text(config)
    url = f"http://127.0.0.1:{(port := free_port())}"
    program = Path(sys.executable).with_name("litellm")
    command = [program, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path / "log"
    with log.open("w") as output:
        proxy = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | {"MLFLOW_TRACKING_URI": uri}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        assert wait_for(lambda: healthy(url), lambda answer: answer or proxy.poll() is not None), log.read_text()
        body = b'{"model":"gpt-4o-mini","user":"u-7","messages":[{"role":"user","content":"2+2?"}],"metadata":{"tags":["shop:one"]}%s}'
        headers = {"content-type": "application/json", "authorization": "Bearer sk-canary-client"}
        for stream, words in ((b"", "Four."), (b',"stream":true', "[DONE]")):
            assert words in answer(f"{url}/v1/chat/completions", data=body % stream, headers=headers)
        traces = wait_for(lambda: found(uri, experiment), lambda held: len(held) == 2)
    finally:
        proxy.terminate()
        proxy.wait(DEADLINE)
    assert len(traces) == 2, log.read_text()
    for trace in traces:
        span = root(trace)
        assert (span.name, span.status.status_code) == ("litellm-acompletion", "OK")
        assert span.inputs["messages"] == [{"role": "user", "content": "2+2?"}]
        assert span.outputs["choices"][0]["message"]["content"] == "Four."
        assert trace.info.tags["shop"] == "one"
        assert "canary" not in repr(trace.to_dict())
    assert "canary" not in log.read_text()
