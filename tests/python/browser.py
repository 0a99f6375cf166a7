"""Opens pages of MLflow's UI in headless Chromium and says what stands on them.

Usage: browser.py CHROMIUM

Reads one JSON object a line, and answers each with one:

    {"url": ..., "expect": [text, ...], "show": text or null, "picture": path or null}
    {"text": all that can be read there, "missing": [what was expected and did not come]}

The page is scrolled to where `show` stands. A picture is taken once nothing moves any more.
"""

import json
import sys
import time

from playwright.sync_api import sync_playwright

VIEWPORT = {"width": 1600, "height": 1000}
PATIENCE_SECONDS = 90
STILL_SECONDS = 10

# What the UI shows to who is new here, over what is to be seen.
KNOWN_ALREADY = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
localStorage.setItem("mlflow.detectIssues.guidanceShown_v1", "true");
"""


def look(page, wanted):
    # The UI's address is a fragment: without this, it would not be loaded anew.
    page.goto("about:blank")
    page.goto(wanted["url"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        text = page.evaluate("document.body.innerText")
        missing = [expected for expected in wanted["expect"] if expected not in text]
        if not missing or time.monotonic() > deadline:
            break
        page.wait_for_timeout(200)
    if wanted.get("show") and not missing:
        page.get_by_text(wanted["show"], exact=True).first.scroll_into_view_if_needed()
    if wanted.get("picture"):
        with open(wanted["picture"], "wb") as file:
            file.write(picture(page))
    return {"text": text, "missing": missing}


def picture(page):
    deadline = time.monotonic() + STILL_SECONDS
    before = page.screenshot()
    while True:
        page.wait_for_timeout(500)
        after = page.screenshot()
        if after == before or time.monotonic() > deadline:
            return after
        before = after


def main():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1])
        context = browser.new_context(
            viewport=VIEWPORT, locale="en-GB", timezone_id="UTC", color_scheme="light", reduced_motion="reduce"
        )
        context.add_init_script(KNOWN_ALREADY)
        page = context.new_page()
        for line in sys.stdin:
            print(json.dumps(look(page, json.loads(line))), flush=True)
        browser.close()


main()
