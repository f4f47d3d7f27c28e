"""The part of a kubelet that serves logs: PORT CERTIFICATE KEY FOLDER, with a file NAMESPACE-POD-CONTAINER.log each."""

import http.server
import pathlib
import ssl
import sys

PORT, CERTIFICATE, KEY, FOLDER = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, *names = self.path.split("?")[0].strip("/").split("/")
        file = pathlib.Path(FOLDER, "-".join(names) + ".log")
        found = kind == "containerLogs" and file.is_file()
        body = file.read_bytes() if found else b"no such log\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("0.0.0.0", int(PORT)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
