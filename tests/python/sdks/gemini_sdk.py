"""Google's SDK through the gateway: see common.py."""

from common import Broken, Run, prefix, transcripts
from google import genai
from google.genai import types


def main():
    run = Run()
    for name, case, span in transcripts("gemini", "gemini_embed"):
        path, _, query = case["request"]["path"].partition("?")
        version, _, rest = path.strip("/").partition("/")
        if not rest.startswith("models/") or (":stream" in rest and "alt=sse" not in query):
            # Vertex AI wants credentials of Google's, and the SDK never asks for an array.
            continue
        model, _, action = rest.removeprefix("models/").partition(":")
        body = case["request"]["body"]

        def make(headers, span=span, version=version, model=model, action=action, body=body):
            options = types.HttpOptions(
                base_url=run.gateway + prefix(span), api_version=version, headers=headers, httpx_client=run.client
            )
            client = genai.Client(api_key="AIza-canary", http_options=options)
            return read(client, model, action, body)

        run.call(name, make)
        if name == "gemini/stream_sse":
            run.call(name + ":cut", make, transcript=name, parts=2)


def read(client, model, action, body):
    if "mbedContent" in action:
        requests = body.get("requests", [body])
        texts = [part["text"] for one in requests for part in one["content"]["parts"]]
        return client.models.embed_content(model=model, contents=texts).model_dump(mode="json", exclude_none=True, by_alias=True)
    contents = [types.Content(**content) for content in body["contents"]]
    # What else there is to ask passes as it is.
    rest = {key: value for key, value in body.items() if key != "contents"}
    config = types.GenerateContentConfig(http_options=types.HttpOptions(extra_body=rest))
    arguments = {"model": model, "contents": contents, "config": config}
    if action == "generateContent":
        return client.models.generate_content(**arguments).model_dump(mode="json", exclude_none=True, by_alias=True)
    text = ""
    try:
        for chunk in client.models.generate_content_stream(**arguments):
            text += chunk.text or ""
    except Exception as error:
        raise Broken(error, {"text": text}) from error
    return {"text": text}


main()
