"""What the scripts of the SDKs share: the transcripts, a transport that keeps what came, and the report.

Each script is called as SCRIPT GATEWAY_URL DIRECTORY. It makes the calls of the transcripts of its APIs through the
gateway, keeps the raw bytes of each response in DIRECTORY, in a file named by the response's number at the provider,
and prints a line of JSON a call: its name, its number, what the SDK made of the answer, and the error that it
raised.
"""

import json
import pathlib
import sys

import httpx2

TRANSCRIPTS = pathlib.Path(__file__).resolve().parents[3] / "guest/core/tests/wire"


class Kept(httpx2.SyncByteStream):
    """A response's body, kept before anything is decoded."""

    def __init__(self, stream, path):
        self.stream = stream
        self.path = path

    def __iter__(self):
        with self.path.open("wb") as file:
            for part in self.stream:
                file.write(part)
                yield part

    def close(self):
        self.stream.close()


class Transport(httpx2.HTTPTransport):
    def __init__(self, directory):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self.number = None

    def handle_request(self, request):
        response = super().handle_request(request)
        self.number = response.headers.get("x-request-id")
        response.stream = Kept(response.stream, self.directory / str(self.number))
        return response


class Run:
    def __init__(self):
        self.gateway, directory = sys.argv[1:]
        self.transport = Transport(directory)
        self.client = httpx2.Client(transport=self.transport)

    def call(self, name, make, transcript=None, parts=None):
        """Makes a call with the header fields that lead to its transcript and its trace."""
        transcript = transcript or name
        headers = {"x-mock-transcript": transcript, "x-mlflow-tags": f"call:{name}"}
        if parts is not None:
            headers["x-mock-break"] = str(parts)
        self.transport.number = None
        answer = error = None
        try:
            answer = make(headers)
        except Exception as raised:  # noqa: BLE001 - whatever an SDK raises is its answer
            error = type(raised).__name__
            answer = getattr(raised, "partial", None)
        line = {
            "call": name,
            "transcript": transcript,
            "broken": parts is not None,
            "number": self.transport.number,
            "answer": answer,
            "error": error,
        }
        print(json.dumps(line, default=str), flush=True)


class Broken(Exception):
    """A stream that broke off, with what had come."""

    def __init__(self, cause, partial):
        super().__init__(str(cause))
        self.partial = partial


def transcripts(*apis):
    """The transcripts of these APIs, or of all, that a plugin without settings of its own gives the span of."""
    for api in sorted(TRANSCRIPTS.iterdir()):
        if not api.is_dir() or (apis and api.name not in apis):
            continue
        for path in sorted(api.iterdir()):
            case = json.loads((path / "case.json").read_text())
            if "settings" in case or "failure" in case:
                continue
            span = json.loads((path / "span.json").read_text())
            yield f"{api.name}/{path.name}", case, span


def prefix(span):
    """The gateway's prefix of the provider that a transcript's call is of."""
    return "/" + span["attributes"].get("mlflow.llm.provider", "unknown")
