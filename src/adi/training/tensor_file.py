"""Files of tensors (safetensors), each written as a whole or not at all, by one process or by several together.

The metadata of a file has a digest of all its bytes, in which the digest itself counts as zeros.
"""

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from adi.data.folder import flush
from adi.errors import AdiError
from adi.processes.group import ALONE, Processes
from adi.training.divided import Divided, State

DIGEST = "digest"
"""The key of the digest in the metadata."""

NO_DIGEST = "0" * 32
REMEDY = "Copy the run again, or train it again."

PIECE = 1 << 22
"""Bytes that are read, or written, at once."""

TYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""The names of types in the format, https://github.com/huggingface/safetensors#format."""


def save_tensors(
    path: Path, tensors: State, metadata: dict[str, str] | None = None, *, processes: Processes = ALONE
) -> None:
    """Write a file atomically. Several processes write it together, each the rows that it has of divided tensors.

    The metadata is that of the first process. All need it, since tensors start where it ends, and it may be longer or
    shorter in another process, as a time is that each measures for itself.

    Raises `AdiError`, in all processes, if one of them cannot write (a full disk).
    """
    partial = path.with_name(f".{path.name}.partial")
    metadata = {**processes.objects(metadata or {})[0], DIGEST: NO_DIGEST}
    try:
        _write(partial, tensors, metadata, processes)
        with processes.agreeing():
            if processes.first:
                _write_digest(partial)
                partial.replace(path)
                flush(path.parent)
    except (AdiError, OSError) as error:
        if processes.first:
            partial.unlink(missing_ok=True)
        raise AdiError(f"{path}: cannot be written ({error}). Free some space, then continue with --resume.") from error
    processes.wait()


def read_tensors(path: Path, into: State) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file; the rows of divided tensors are read into their place in `into`.

    Raises `AdiError` for a file that has other bytes than were written.
    """
    check_tensors(path)
    whole: dict[str, Tensor] = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (not a mapping)
            target = into.get(name)
            if not isinstance(target, Divided):
                whole[name] = file.get_tensor(name)
                continue
            rows = file.get_slice(name)
            for piece in target.pieces:
                piece.rows.detach().copy_(rows[piece.first : piece.first + len(piece.rows)])
        return whole, file.metadata() or {}


def check_tensors(path: Path) -> None:
    """Raise `AdiError` for a file that is not as `save_tensors` wrote it."""
    try:
        digest, _ = _digest(path)
        with safe_open(path, framework="pt") as file:
            expected = (file.metadata() or {}).get(DIGEST)
    except (SafetensorError, ValueError, MemoryError) as error:
        raise AdiError(f"{path}: damaged, no file of tensors ({error}). {REMEDY}") from None
    if digest != expected:
        raise AdiError(f"{path}: other content than was written. {REMEDY}")


def _digest(path: Path) -> tuple[str, int]:
    """The digest of a file with zeros in the place of its digest, and the position of that."""
    hashed = blake2b(digest_size=16)
    with path.open("rb") as file:
        header = file.read(8)
        header += file.read(int.from_bytes(header, "little"))
        key = f'"{DIGEST}":'.encode()
        position = header.index(b'"', header.index(key) + len(key)) + 1
        hashed.update(header[:position] + NO_DIGEST.encode() + header[position + len(NO_DIGEST) :])
        while piece := file.read(PIECE):
            hashed.update(piece)
    return hashed.hexdigest(), position


def _write_digest(path: Path) -> None:
    """Write the digest of a complete file into its place, and the file to disk."""
    digest, position = _digest(path)
    with path.open("r+b") as file:
        file.seek(position)
        file.write(digest.encode())
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, tensors: State, metadata: Mapping[str, str] | None, processes: Processes) -> None:
    """The first process makes room and writes what is whole; then each writes its rows at their places.

    safetensors' own writer knows one process, and leaves a file with a name of its own where it is killed.
    """
    starts, header, size = _layout(tensors, metadata)
    with processes.agreeing():
        if processes.first:
            with path.open("wb", buffering=PIECE) as file:
                os.posix_fallocate(file.fileno(), 0, size)
                file.write(header)
                for name, start in starts.items():
                    if isinstance(tensor := tensors[name], Tensor):
                        if file.tell() != start:  # a seek writes what is in the buffer
                            file.seek(start)
                        file.write(_bytes(tensor))
    with processes.agreeing(), path.open("r+b") as file:
        for name, tensor in tensors.items():
            if isinstance(tensor, Divided):
                row_size = prod(tensor.shape[1:]) * tensor.dtype.itemsize
                for piece in tensor.pieces:
                    file.seek(starts[name] + piece.first * row_size)
                    file.write(_bytes(piece.rows))
        file.flush()
        os.fsync(file.fileno())


def _layout(tensors: State, metadata: Mapping[str, str] | None) -> tuple[dict[str, int], bytes, int]:
    """The start of each tensor in a file, in their order; the bytes before the first; and the size of the file."""
    described: dict[str, object] = {"__metadata__": dict(metadata or {})}
    offset, offsets = 0, {}
    # Wider types first, as the library does, so that each tensor is aligned.
    for name, tensor in sorted(tensors.items(), key=lambda pair: (-pair[1].dtype.itemsize, pair[0])):
        end = offset + prod(tensor.shape) * tensor.dtype.itemsize
        described[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offsets[name], offset = offset, end
    text = json.dumps(described).encode()
    text += b" " * (-len(text) % 8)
    header = len(text).to_bytes(8, "little") + text
    return {name: len(header) + start for name, start in offsets.items()}, header, len(header) + offset


def _bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor as the format has them: row by row, little-endian."""
    return memoryview(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())  # type: ignore[arg-type]
