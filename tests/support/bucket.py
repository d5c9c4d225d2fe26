"""A real server that speaks S3, on loopback, for the length of a block: rclone's."""

import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from tests.support.children import dying_with_us

BUCKET: Final = "complaints"
_PATIENCE: Final = 30


def rclone() -> str | None:
    """Give the program, which comes with the test requirements where it is built."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else shutil.which("rclone")


@contextmanager
def running_bucket(folder: Path) -> Iterator[dict[str, str]]:
    """Serve `folder`; give the environment that says where and with which key."""
    (folder / BUCKET).mkdir(parents=True)
    program = rclone()
    assert program is not None
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    port = _free_port()
    server = subprocess.Popen(
        [program, "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}"],
        env={"RCLONE_AUTH_KEY": f'"{key},{secret}"', "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=dying_with_us(),  # noqa: PLW1509
    )
    try:
        _wait(port, server)
        yield {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    message = "rclone did not begin to serve"
    raise RuntimeError(message)
