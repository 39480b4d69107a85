"""``python -m tests.rehearsal``."""

from tests.rehearsal.cli import main

main()
