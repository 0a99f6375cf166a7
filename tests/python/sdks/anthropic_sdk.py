"""Anthropic's SDK through the gateway: see common.py."""

import anthropic
from common import Broken, Run, prefix, transcripts


def main():
    run = Run()
    client = anthropic.Anthropic(api_key="sk-ant-canary", base_url="http://x", max_retries=0, http_client=run.client)
    for name, case, span in transcripts("anthropic"):
        path = case["request"]["path"]
        if not path.endswith("/v1/messages"):
            continue
        here = client.with_options(base_url=run.gateway + prefix(span) + path.removesuffix("/v1/messages"))
        body = {key: value for key, value in case["request"]["body"].items() if key != "stream"}

        def make(headers, here=here, body=body, stream=case["request"]["body"].get("stream")):
            if stream:
                return streamed(here, body, headers)
            return here.messages.create(**body, extra_headers=headers).model_dump(mode="json")

        run.call(name, make)
        if name == "anthropic/stream":
            run.call(name + ":cut", make, transcript=name, parts=8)


def streamed(client, body, headers):
    """What the SDK adds a stream's events up to."""
    with client.messages.stream(**body, extra_headers=headers) as stream:
        try:
            return stream.get_final_message().model_dump(mode="json")
        except Exception as error:
            partial = stream.current_message_snapshot.model_dump(mode="json")
            raise Broken(error, partial) from error


main()
