"""Chromium without a window, driven over its debugging pipe: no port, no network, no library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 60
# The browser reads from descriptor 3 and writes to 4; the pipes' own numbers may be these, too.
LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD_CLOEXEC, 10) for end in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""


def chromium_path() -> str:
    """Return the browser's path; skip the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine: the page's own code is not tested here")
    return found


# Rules of axe that the page breaks in earnest, each with the first place where it does.
AXE = """
axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => `${one.id}: ${one.help} ${one.nodes[0].html.slice(0, 200)}`))
"""


class Browser:
    """One page in one browser; what it says in its console and what it throws is kept."""

    def __init__(self, folder: Path) -> None:
        """Start the browser with its profile and downloads in a folder."""
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.answer_dialogs = True
        self._number, self._waiting = 0, b""
        into_browser, self._out = os.pipe()
        self._in, out_of_browser = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", "-c", LAUNCH),
                *(str(into_browser), str(out_of_browser)),
                *(chromium_path(), "--headless", "--no-sandbox", "--disable-gpu"),
                *("--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"),
                *("--disable-dev-shm-usage", "--no-first-run", "about:blank"),
            ],
            pass_fds=(into_browser, out_of_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(into_browser)
        os.close(out_of_browser)
        self._session: str | None = None
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = self._send(method, parameters)
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._notice(message)

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return self._number

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            told = os.read(self._in, 1 << 20)
            assert told, "the browser has ended"
            self._waiting += told
        first, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(first)

    def _notice(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(str(told["exceptionDetails"]))
        if method == "Log.entryAdded":
            self.faults.append(told["entry"]["text"])
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        if method == "Page.javascriptDialogOpening":
            self._send("Page.handleJavaScriptDialog", {"accept": self.answer_dialogs})

    def open(self, path: Path) -> None:
        """Load a file and wait until it has begun."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("location.protocol === 'file:' && document.readyState === 'complete'")

    def reload(self) -> None:
        """Load the page again."""
        self.run("window.before = true")
        self.call("Page.reload")
        self.wait("!window.before && document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """Return the value of an expression in the page, of a promise that of its end."""
        told = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def violations(self) -> list[str]:
        """Return what axe finds serious or critical in the page, opened folds included."""
        if not self.run("'axe' in window"):
            self.run(resources.files("axe_core_python").joinpath("axe.min.js").read_text())
        self.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        return self.run(AXE)

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE_S
        while not self.run(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.02)

    def press(self, key: str, text: str = "", repeat: bool = False) -> None:
        """Press and release a key as a keyboard does."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        kind = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=kind, text=text, autoRepeat=repeat, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def size(self, width: int, height: int, ratio: float = 1) -> None:
        """Set the window's size in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=ratio,
            mobile=False,
        )

    def picture(self, path: Path) -> None:
        """Write what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def downloaded(self) -> Path:
        """Return the only finished download."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            files = [path for path in self.downloads.iterdir() if path.suffix == ".csv"]
            if len(files) == 1:
                return files[0]
            time.sleep(0.02)
        raise AssertionError(f"downloads: {list(self.downloads.iterdir())}")
