"""Every transcript as it is, by a plain HTTP client: see common.py."""

from common import Run, prefix, transcripts


def main():
    run = Run()
    for name, case, span in transcripts():
        request = case["request"]

        def make(headers, request=request, span=span):
            told = headers["x-mlflow-tags"]
            headers |= request.get("headers", {})
            if headers["x-mlflow-tags"] != told:
                headers["x-mlflow-tags"] += "," + told
            # Both would lead the trace elsewhere.
            for name in ("traceparent", "x-mlflow-experiment"):
                headers.pop(name, None)
            body = {"json": request["body"]} if request.get("body") is not None else {}
            if "raw_body" in request:
                body = {"content": request["raw_body"].encode()}
            url = run.gateway + prefix(span) + request["path"]
            response = run.client.request(request.get("method", "POST"), url, headers=headers, **body)
            return response.status_code

        run.call("raw:" + name, make, transcript=name)


main()
