"""Tables in an object store: a server that speaks S3, and addresses that cannot be read."""

import gzip
import re

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from adi.engines.tables import TableFiles
from adi.errors import AdiError


@pytest.fixture
def s3(monkeypatch):
    """An empty store at ``s3://``."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    store = fsspec.filesystem("s3")
    store.mkdir("bucket")
    yield store
    store.clear_instance_cache()
    server.stop()


def test_tables_of_a_store_are_those_of_a_disk(workspace, log, s3):
    items = [{"item": item, "color": color} for item, color in (("x", "red"), ("y", "blue"))]
    workspace.table("items", items, "item")
    workspace.add("item", name="color", kind="categorical", table="items")
    workspace.prepare("on_disk")
    expected = workspace.manifest.fingerprint
    for begin in (0, 6):
        with s3.open(f"bucket/log/part-{begin}.parquet", "wb") as file:
            pq.write_table(pa.Table.from_pylist(log[begin : begin + 6]), file)
    s3.pipe("bucket/log/_SUCCESS", b"")
    rows = "".join(f"{row['item']},{row['color']}\n" for row in items)
    s3.pipe("bucket/items.csv.gz", gzip.compress(f"item,color\n{rows}".encode()))
    for path in ("s3://bucket/log", "s3://bucket/log/*.parquet"):
        workspace.interactions(path=path)
        workspace.schema["tables"]["items"]["path"] = "s3://bucket/items.csv.gz"
        workspace.prepare(f"of_store_{len(path)}")
        assert workspace.manifest.fingerprint == expected


def test_a_fault_names_the_file_in_the_store(workspace, log):
    memory = fsspec.filesystem("memory")
    memory.pipe("/logs/a.csv", b"user,item,domain,time\nann,x,a,1\nbo,y,a\n")
    workspace.interactions(path="memory://logs/*.csv")
    with pytest.raises(AdiError, match=r"memory://.*logs/a\.csv: cannot be read as CSV"):
        workspace.prepare()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("memory://nowhere/*.parquet", "no file matches"),
        ("nostore://bucket/log", r"cannot be read \(Protocol not known: nostore"),
        ("gs://bucket/log", r"cannot be read \(.*gcsfs"),
    ],
)
def test_an_address_that_cannot_be_read(address, reason, tmp_path):
    with pytest.raises(AdiError, match=f"{re.escape(address)}: {reason}"):
        TableFiles.at(address, tmp_path)
