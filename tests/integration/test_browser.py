"""A browser's own EventSource, which nobody here wrote: it is cut off in the middle, and its account is complete."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

from support.frames import Opcode, frame, text
from support.processes import Processes, need
from support.session import Session
from support.tcp_proxy import TcpProxy
from support.waiting import wait_for

COUNT = 300

PAGE = b"""<!doctype html><meta charset="utf-8"><script>
const report = new URLSearchParams(location.hash.slice(1)).get("report");
let waiting = [];
let sending = false;
async function flush() {
  if (sending || waiting.length === 0) return;
  sending = true;
  const batch = waiting;
  waiting = [];
  await fetch(report, {method: "POST", mode: "no-cors", body: JSON.stringify(batch)});
  sending = false;
  flush();
}
function note(kind, event) { waiting.push([kind, event.lastEventId || "", event.data || ""]); flush(); }
const source = new EventSource("/v1/connections/feed/messages?from=oldest");
source.onmessage = event => note("message", event);
for (const kind of ["binary", "escaped", "hello", "gap"]) source.addEventListener(kind, event => note(kind, event));
source.onopen = event => note("open", event);
source.onerror = event => note("error " + source.readyState, event);
</script>"""


class Reports:
    """Where the page says what it has seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        reports = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reports.seen.extend((kind, last, data) for kind, last, data in json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def of(self, *kinds: str) -> list[tuple[str, str]]:
        return [(last, data) for kind, last, data in list(self.seen) if kind in kinds]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


def test_an_event_source_resumes(session: Session, processes: Processes, folder: Path) -> None:
    chromium = need("chromium")
    reports = Reports()
    proxy = TcpProxy(session.daemon.socket, PAGE)
    try:
        processes.start([
            chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder}/profile",
            "--remote-debugging-port=0",  # without it a headless browser leaves when the page is loaded
            f"http://127.0.0.1:{proxy.port}/#report=http://127.0.0.1:{reports.server.server_port}/"])
        wait_for(lambda: reports.of("hello"), "the page subscribes", 60)
        cuts = 0
        for number in range(1, COUNT + 1):
            session.peer.send(text(f"message {number}\nin two lines"))
            if number % 100 == 50:
                # In the middle of what it is being sent, and more comes before it is back.
                wait_for(lambda seen=number - 20: len(reports.of("message")) >= seen, "it keeps up", 60)
                opened = len(reports.of("open"))
                assert proxy.cut() >= 1
                cuts += 1
                session.peer.send(frame(Opcode.BINARY, b"\x00\xff"))
                session.peer.send(text("with\r\nCR"))
                wait_for(lambda before=opened: len(reports.of("open")) > before, "it comes back by itself", 60)
        wait_for(lambda: len(reports.of("message")) >= COUNT, "all is there", 60)
        found = reports.of("message", "binary", "escaped")
        epoch = session.daemon.connection("feed")["ring"]["epoch"]
        assert [last for last, _ in found] == [f"{epoch}:{number}" for number in range(1, COUNT + 2 * cuts + 1)], "each once, in order"
        assert [data for _, data in reports.of("message")] == [f"message {number}\nin two lines" for number in range(1, COUNT + 1)]
        assert [data for _, data in reports.of("binary")] == ["AP8="] * cuts
        assert [json.loads(data) for _, data in reports.of("escaped")] == ["with\r\nCR"] * cuts
        assert cuts == 3 and not reports.of("gap") and not reports.of("error 2"), "it never gave up"
        # The page asks for the oldest each time: that nothing came twice is Last-Event-ID's doing.
    finally:
        proxy.close()
        reports.close()
