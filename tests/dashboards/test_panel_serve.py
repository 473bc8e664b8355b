"""`panel serve dashboards/app.py`, for those who have a server of Panel already."""

import os
import socket
import subprocess
import sys

import httpx
import pytest

from tests.conftest import ROOT
from tests.waiting import PATIENCE, eventually


@pytest.mark.slow
def test_panel_serves_the_page(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", "dashboards/app.py", "--port", str(port)]
    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "XAI_TF_CACHE": str(tmp_path / "cache")},
        )
    try:
        page = answer(f"http://localhost:{port}/app", server)
    finally:
        server.terminate()
        server.wait(PATIENCE)

    assert page.status_code == 200, log.read_text()
    assert "<title>xai-tf</title>" in page.text  # which `create_app` gives it
    assert "Traceback" not in log.read_text()
    assert not list(tmp_path.glob("cache/uploads/*"))


def answer(url, server):
    """The first answer of a server that starts."""
    answers = []

    def comes():
        assert server.poll() is None, "it ended"
        try:
            answers.append(httpx.get(url, timeout=PATIENCE))
        except httpx.ConnectError:
            return False
        return True

    eventually(comes)
    return answers[0]
