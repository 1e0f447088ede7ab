"""No Grafana: says on each path whether what Grafana would be provisioned with is there, and no more."""

import http.server
import json
import os
import pathlib

import yaml

ROOT = pathlib.Path("/etc/grafana/provisioning")


def provisioned() -> dict:
    """Data sources and titles of dashboards; raises if a file is missing or cannot be read."""
    sources = [yaml.safe_load(p.read_text()) for p in ROOT.glob("datasources/*.y*ml")]
    providers = [yaml.safe_load(p.read_text()) for p in ROOT.glob("dashboards/*.y*ml")]
    folders = [p["options"]["path"] for each in providers for p in each["providers"]]
    found = [json.loads(p.read_text()) for f in folders for p in pathlib.Path(f).rglob("*.json")]
    password = pathlib.Path(os.environ["GF_SECURITY_ADMIN_PASSWORD__FILE"]).read_text()
    return {
        "datasources": [d["url"] for each in sources for d in each["datasources"]],
        "dashboards": [f"{d['title']}: {len(d['panels'])} panels" for d in found],
        "password": bool(password),
    }


class Answer(http.server.BaseHTTPRequestHandler):
    """One page."""

    def do_GET(self) -> None:
        """Answer with what is provisioned."""
        body = json.dumps(provisioned()).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


http.server.HTTPServer(("", 3000), Answer).serve_forever()
