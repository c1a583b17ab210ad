"""A stand-in for an engine in tests of the lab itself: `standin.py IP [--argument …]`, standard library only.

Serves /health, /metrics, /whoami and /slow at IP:8000. Its behaviour comes from variables:
CRASH=status exits at once; UNREADY_FILE=path is not ready while that file exists; STUBBORN=1 ignores SIGTERM;
TERM_FILE=path is written when SIGTERM comes; CHILD=1 starts a child in a session of its own.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        unready = os.environ.get("UNREADY_FILE")
        if self.path == "/health":
            self.answer(503 if unready and Path(unready).exists() else 200, "")
        elif self.path == "/metrics":
            self.answer(200, "# TYPE standin_up gauge\nstandin_up 1\n")
        elif self.path == "/whoami":
            self.answer(200, json.dumps({"pod": os.environ.get("HOSTNAME"), "arguments": sys.argv[2:]}))
        elif self.path == "/environment":
            self.answer(200, json.dumps(dict(os.environ)))
        elif self.path == "/slow":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            for part in range(3):
                self.wfile.write(f"part {part}\n".encode())
                self.wfile.flush()
                time.sleep(0.1)
            self.close_connection = True
        else:
            self.answer(404, "")

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    print("standin starts", *sys.argv[2:], flush=True)
    if crash := os.environ.get("CRASH"):
        print("standin crashes", flush=True)
        sys.exit(int(crash))
    if os.environ.get("CHILD"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    server = ThreadingHTTPServer((sys.argv[1], 8000), Handler)

    def stop(_number: int, _frame: object) -> None:
        if path := os.environ.get("TERM_FILE"):
            Path(path).write_text("SIGTERM")
        if not os.environ.get("STUBBORN"):
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever()
    print("standin ends", flush=True)


if __name__ == "__main__":
    main()
