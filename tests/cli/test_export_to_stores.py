"""adi export --to: items copied into a vector store."""

import json

import pyarrow.parquet as pq


def test_items_as_parquet(adi, pipeline, tmp_path):
    done = adi("export", pipeline.folder / "run", "--to", "parquet", "--out", tmp_path / "items")
    assert (done.returncode, done.stderr) == (0, "")
    assert "recall@100" in done.stdout
    assert "The files were read again and searched in full." in done.stdout
    assert done.stdout.endswith(f"Wrote {tmp_path / 'items'}.\n")
    table = pq.read_table(tmp_path / "items", partitioning="hive")
    assert len(set(table["domain"].to_pylist())) == 3


def test_milvus_as_json_with_chosen_attributes(adi, pipeline, tmp_path):
    names = pq.read_schema(pipeline.folder / "tables" / "items.parquet").names
    out = tmp_path / "items.db"
    done = adi(
        *("export", pipeline.folder / "run", "--to", "milvus", "--out", out, "-k", 5, "--json"),
        *("--alias", "shop", "--attributes", names[-1]),
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert (said["to"], said["out"], said["alias"]) == ("milvus", str(out), "shop")
    assert said["name"].startswith("shop_")
    assert all(domain["recall"] >= 0.99 for domain in said["domains"].values())


def test_what_a_store_cannot_do(adi, pipeline, tmp_path):
    run = pipeline.folder / "run"
    done = adi("export", run, "--to", "parquet", "--out", tmp_path / "items", "--bid", "bid")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--bid: a store has no bids; adi serve ranks with them, from a bundle." in done.stderr
    done = adi("export", run, "--to", "parquet", "--out", tmp_path / "items", "--nproc", 2)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--nproc: 2; one process copies the items into a store. Leave it out." in done.stderr
    done = adi("export", run, "--to", "redis", "--out", tmp_path / "items")
    assert done.returncode == 2
    assert "--to: 'redis' is not one of bundle, milvus, parquet, qdrant, vespa." in done.stderr
