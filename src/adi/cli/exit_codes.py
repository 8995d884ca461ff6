"""Exit codes of every command."""

DONE, FAILED, INPUT, REGRESSION = 0, 1, 2, 3
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143

MEANINGS = {
    DONE: "done",
    FAILED: "failed: cells of a grid, a damaged file (`adi verify`), or an error of the program or the machine",
    INPUT: "wrong input (options, schema, tables, paths) or a full disk, which the message names",
    REGRESSION: "a regression that `adi compare --gate` or `adi abtest --gate` found, or untrusted estimates",
    INTERRUPTED: "interrupted by Ctrl-C (SIGINT)",
    BROKEN_PIPE: "the reader of standard output has gone (SIGPIPE)",
    TERMINATED: "ended by SIGTERM",
}
"""The meaning of each exit code, as the documentation has it."""
