"""``python -m adi``, as torchrun starts the command line."""

from adi.cli.main import main

main()
