"""Claim: a typical page transfers at most 60 kB, nothing of it kept by the browser yet, and paints first within 150 ms.

A real Chromium on the same machine, signed in, 20,000 assets, two workers; what is transferred is what the browser counts
on the wire: page, stylesheet, scripts, pictures, with their headers. First paint (First Contentful Paint) runs from the
start of the navigation. Of each page the median of the visits counts, and of the pages the worst.

    python -m benchmarks.page [--visits 15] [--size 20000]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.http import database, prepare, stack
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from sispat.http.session import COOKIE

BROWSER = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
MOST_KB, MOST_MS = 60.0, 150.0
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--visits", type=int, default=15)
    arguments.add_argument("--size", type=int, default=20_000)
    options = arguments.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("benchmarks/page.py needs a browser: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="sispat-page-") as home:
        Path(home).chmod(0o711)  # the server's account has to pass
        server = Embedded(Path(home) / "data")
        try:
            server.start()
            dsn = database(server, "page", options.size)
            with stack("ours", dsn) as (url, _, _):
                visits = visited(chromium, url, dsn, options.visits)
        finally:
            server.stop(timeout=10.0)
    publish("page", claims(visits), ("playwright", "fastapi", "uvicorn"))


def visited(chromium: str, url: str, dsn: Dsn, times: int) -> dict[str, list[tuple[float, float]]]:
    """Of each page and visit: kilobytes on the wire, milliseconds to the first paint."""
    from playwright.sync_api import sync_playwright

    token, asset, _ = prepare(dsn)
    pages = {"painel": "/", "list": "/patrimonios", "card": f"/patrimonios/{asset}", "form": "/patrimonios/novo"}
    visits: dict[str, list[tuple[float, float]]] = {name: [] for name in pages}
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=list(BROWSER))
        try:
            for _ in range(times + 1):  # the first round warms the workers, and does not count
                for name, path in pages.items():
                    visits[name].append(_visit(browser, url, path, token))
        finally:
            browser.close()
    return {name: seen[1:] for name, seen in visits.items()}


def _visit(browser: Any, url: str, path: str, token: str) -> tuple[float, float]:
    context = browser.new_context(locale="pt-BR")  # of its own: nothing is kept from the visit before
    try:
        context.add_cookies([{"name": COOKIE, "value": token, "url": url}])
        page = context.new_page()
        sizes: list[float] = []
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        answer = page.goto(f"{url}{path}", wait_until="load")
        if answer is None or answer.status != 200 or page.url != f"{url}{path}":
            raise RuntimeError(f"{path}: {answer and answer.status}, led to {page.url}")
        while not (
            painted := page.evaluate(_FIRST_PAINT)
        ):  # wait_for_function() would need eval(), which our pages forbid
            page.wait_for_timeout(10)
        return sum(sizes) / 1000, float(painted)
    finally:
        context.close()


def claims(visits: dict[str, list[tuple[float, float]]]) -> list[Claim]:
    middle = {name: [statistics.median(part) for part in zip(*seen, strict=True)] for name, seen in visits.items()}
    for name, (size, paint) in middle.items():
        print(f"{name:<8} {size:6.1f} kB  first paint {paint:6.1f} ms")
    return [
        Claim("page, transferred", "kB", "lower", max(size for size, _ in middle.values()), target=MOST_KB),
        Claim("page, first paint", "ms", "lower", max(paint for _, paint in middle.values()), target=MOST_MS),
    ]


if __name__ == "__main__":
    main()
