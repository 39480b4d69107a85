"""An S3 server, by moto, and a client of it.

``python -m tests.support.s3 HOST PORT BUCKET`` runs one with a bucket until it is ended.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.support.processes import free_port


@contextmanager
def s3_server(
    *, threaded: bool = False, host: str = "127.0.0.1", port: int | None = None
) -> Iterator[str]:
    """The address of one that is running. It looks and writes in two steps, which S3 does in one:
    where that matters, it must not be ``threaded``."""
    port = free_port() if port is None else port
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(host, port, app, threaded=threaded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def s3_client(endpoint: str) -> Any:
    """A client of its own. To make one takes a third of a second."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="an-id",
        aws_secret_access_key="a-secret",
        config=Config(s3={"addressing_style": "path"}),
    )


if __name__ == "__main__":
    with s3_server(host=sys.argv[1], port=int(sys.argv[2])) as address:
        s3_client(address).create_bucket(Bucket=sys.argv[3])
        print(address, flush=True)
        threading.Event().wait()
