"""Receives webhooks and believes those that the `standardwebhooks` package believes.

    receiver.py <file for the port> <file for what was believed> <secret>...

Each delivery must be believed with each of the secrets alone, and with none once a byte of it is changed.
"""

import http.server
import json
import pathlib
import sys

from standardwebhooks import Webhook, WebhookVerificationError

port_file, out_file, *secrets = sys.argv[1:]


def believed(body, headers, secret):
    try:
        return Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return None


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        message = all(believed(body, headers, secret) is not None for secret in secrets)
        altered = any(believed(body[:-1] + b" }", headers, secret) is not None for secret in secrets)
        moved = any(believed(body, {**headers, "webhook-id": "another"}, secret) is not None for secret in secrets)
        if message and not altered and not moved:
            with open(out_file, "a", encoding="utf-8") as out:
                out.write(json.loads(body)["type"] + "\n")
        self.send_response(204 if message and not altered and not moved else 401)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
part = pathlib.Path(port_file + ".part")
part.write_text(str(server.server_port))
part.rename(port_file)
server.serve_forever()
