"""Object stores for tests: S3 by moto, GCS by gcp-storage-emulator, both started here, and fsspec's in memory."""

import itertools
import logging

import pytest

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def s3_endpoint():
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint, monkeypatch):
    """Address of an empty bucket on S3."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{next(NUMBERS)}"
    s3fs.S3FileSystem().mkdir(bucket)
    return f"s3://{bucket}"


@pytest.fixture(scope="session")
def gs_endpoint():
    pytest.importorskip("gcsfs")
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    server = emulator.create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    yield f"http://127.0.0.1:{server._api._httpd.server_address[1]}"
    server.stop()


@pytest.fixture
def gs(gs_endpoint, monkeypatch):
    """Address of an empty bucket on GCS."""
    import gcsfs

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gs_endpoint)
    # It would ask Google's machines which kind of bucket this is, and who asks.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    bucket = f"bucket-{next(NUMBERS)}"
    gcsfs.GCSFileSystem(project="test").mkdir(bucket)
    return f"gs://{bucket}"


@pytest.fixture
def memory():
    """Address of an empty store inside this process."""
    return f"memory://bucket-{next(NUMBERS)}"


@pytest.fixture(params=["s3", "gs", "memory"])
def bucket(request):
    """Address of an empty bucket in each kind of store."""
    return request.getfixturevalue(request.param)
