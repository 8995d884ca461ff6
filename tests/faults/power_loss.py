"""A disk on which only what was flushed lasts: the recorded calls of a command, applied up to a power loss.

The content of a file lasts as it was at its last fsync, and a name in a folder as it was at the last fsync of the
folder. Of the rest nothing is certain, so that there are several states after the same loss.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random


@dataclass(eq=False)
class File:
    """A file's content at its last fsync; empty if there was none, as is usual after a loss."""

    flushed: bytes = b""


@dataclass(eq=False)
class Folder:
    """A folder's entries as programs see them, and as they were at its last fsync."""

    entries: "dict[str, File | Folder]" = field(default_factory=dict)
    flushed: "dict[str, File | Folder]" = field(default_factory=dict)


Tree = dict[str, bytes | None]
"""Files with their content by their path, and folders with None."""

Chooser = Callable[[Folder], "dict[str, File | Folder]"]


class Disk:
    """The files below a folder, all of them flushed, and then changed by recorded calls."""

    def __init__(self, root: Path, before: Path) -> None:
        """`before` has the files that were below `root` at first."""
        self.root = root
        self.tree = self._read(before)

    def _read(self, path: Path) -> Folder:
        entries = {
            child.name: self._read(child) if child.is_dir() else File(child.read_bytes()) for child in path.iterdir()
        }
        return Folder(entries, dict(entries))

    def _folder(self, path: Path) -> Folder | None:
        node: File | Folder | None = self.tree
        for name in path.relative_to(self.root).parts:
            node = node.entries.get(name) if isinstance(node, Folder) else None
        return node if isinstance(node, Folder) else None

    def apply(self, call: str, path: Path, new_path: Path, copy: bytes | None) -> None:
        """One call; `copy` is the content of a file at its fsync. Calls that must have failed change nothing."""
        if call == "fsync" and (synced := self._folder(path)) is not None:
            synced.flushed = dict(synced.entries)
            return
        folder = self._folder(path.parent)
        if folder is None:
            return
        node = folder.entries.get(path.name)
        match call:
            case "fsync" if isinstance(node, File) and copy is not None:
                node.flushed = copy
            case "create" if node is None:
                folder.entries[path.name] = File()
            case "mkdir" if node is None:
                folder.entries[path.name] = Folder()
            case "remove":
                folder.entries.pop(path.name, None)
            case "rename" | "link" if node is not None and (target := self._folder(new_path.parent)) is not None:
                if call == "rename":
                    del folder.entries[path.name]
                target.entries[new_path.name] = node

    def states(self, seed: int) -> Iterator[Tree]:
        """Some states of the disk after a loss of power."""
        chance = Random(seed)
        # Nothing but what was flushed; all names, as of a journal of names that is ahead of the content; and any mix.
        yield self._state(self.tree, lambda folder: folder.flushed)
        yield self._state(self.tree, lambda folder: folder.entries)
        yield self._state(self.tree, lambda folder: _mix(folder, chance))

    def _state(self, folder: Folder, choose: Chooser, path: str = "") -> Tree:
        tree: Tree = {}
        for name, node in sorted(choose(folder).items()):
            if isinstance(node, File):
                tree[path + name] = node.flushed
            else:
                tree[path + name] = None
                tree |= self._state(node, choose, f"{path}{name}/")
        return tree


def _mix(folder: Folder, chance: Random) -> "dict[str, File | Folder]":
    names = sorted({*folder.entries, *folder.flushed})
    chosen = {name: chance.choice((folder.entries, folder.flushed)).get(name) for name in names}
    return {name: node for name, node in chosen.items() if node is not None}


def states_of(root: Path, before: Path, record: Path) -> Iterator[tuple[int, Tree]]:
    """Every state that a power loss may leave of a recorded command, with the number of the call after which it is."""
    disk, seen = Disk(root, before), set()
    for line in (record / "log").read_text().splitlines():
        number, call, path, new_path = line.split("\t")
        copy = record / number
        disk.apply(call, Path(path), Path(new_path), copy.read_bytes() if copy.is_file() else None)
        for tree in disk.states(int(number)):
            if (key := frozenset(tree.items())) not in seen:
                seen.add(key)
                yield int(number), tree


def write(tree: Tree, folder: Path) -> None:
    """Make the files of a state."""
    folder.mkdir()
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
