"""An S3 server in the test's process, and the settings that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """The URL of an empty bucket on a new server; the environment leads s3fs and boto to it."""
    import boto3
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            boto3.client("s3").create_bucket(Bucket=bucket)
            fsspec.get_filesystem_class("s3").clear_instance_cache()
            yield f"s3://{bucket}"
            fsspec.get_filesystem_class("s3").clear_instance_cache()
    finally:
        server.stop()
