"""OpenAI's SDK through the gateway: see common.py."""

import inspect

import openai
from common import Broken, Run, prefix, transcripts
from openai.lib.streaming.chat import ChatCompletionStreamState

CALLS = {
    "openai_chat": ("/chat/completions", lambda client: client.chat.completions.create),
    "openai_completions": ("/completions", lambda client: client.completions.create),
    "openai_responses": ("/responses", lambda client: client.responses.create),
    "openai_embeddings": ("/embeddings", lambda client: client.embeddings.create),
    "openai_images": ("/images/generations", lambda client: client.images.generate),
    "openai_speech": ("/audio/speech", lambda client: client.audio.speech.create),
    "openai_transcription": ("/audio/transcriptions", lambda client: client.audio.transcriptions.create),
    "openai_moderations": ("/moderations", lambda client: client.moderations.create),
}


def main():
    run = Run()
    client = openai.OpenAI(api_key="sk-canary", base_url="http://x", max_retries=0, http_client=run.client)
    for name, case, span in transcripts(*CALLS):
        api = name.split("/")[0]
        end, function = CALLS[api]
        path, _, query = case["request"]["path"].partition("?")
        if not path.endswith(end):
            continue
        here = client.with_options(
            base_url=run.gateway + prefix(span) + path.removesuffix(end),
            default_query=dict(pair.split("=") for pair in query.split("&") if pair),
        )
        body = arguments(api, case["request"])

        def make(headers, create=function(here), body=body, api=api):
            known = {key: value for key, value in body.items() if key in inspect.signature(create).parameters}
            rest = {key: value for key, value in body.items() if key not in known}
            # Azure's path names the model; the SDK wants it all the same.
            known.setdefault("model", "gpt")
            return read(api, create(**known, extra_body=rest, extra_headers=headers), body)

        run.call(name, make)
        if name in ("openai_chat/stream_parallel_tools", "openai_responses/stream"):
            run.call(name + ":cut", make, transcript=name, parts=4)


def arguments(api, request):
    """A request's body as the SDK's arguments: what it does not know passes as it is."""
    if api == "openai_transcription":
        # With a boundary of the SDK's own.
        stream = "true" in request["raw_body"]
        return {"file": ("speech.mp3", b"\xff\xfb0"), "model": "gpt-4o-transcribe", "stream": stream}
    return request["body"]


def read(api, answer, body):
    if not body.get("stream") and body.get("stream_format") != "sse":
        return answer.content.hex() if api == "openai_speech" else answer.model_dump(mode="json")
    if api == "openai_chat":
        return chat(answer)
    if api == "openai_speech":
        return None
    events = []
    try:
        events.extend(answer)
    except Exception as error:
        raise Broken(error, None) from error
    last = events[-1]
    whole = getattr(last, "response", None) if api == "openai_responses" else None
    return whole and whole.model_dump(mode="json")


def chat(stream):
    """What the SDK adds a stream's chunks up to."""
    chunks = []
    try:
        for chunk in stream:
            chunks.append(chunk)
    except Exception as error:
        raise Broken(error, added_up(chunks)) from error
    return added_up(chunks)


def added_up(chunks):
    state = ChatCompletionStreamState()
    try:
        for chunk in chunks:
            state.handle_chunk(chunk)
    except TypeError:
        # Contents that are lists, as Mistral has them, the SDK cannot add up.
        return None
    return state.current_completion_snapshot.model_dump(mode="json")


main()
