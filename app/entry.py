"""The console script `portiere`.

Its ``cloud`` is told apart here, before anything of the desk is loaded: the cloud layer's processes
have a small server to themselves three times over, and the desk's brain and guests are 70 MB.
"""

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["cloud"]:
        from cloud_jobs.cli import main as cloud  # noqa: PLC0415 - see above

        cloud(sys.argv[2:])
    else:
        from app.cli import main as desk  # noqa: PLC0415 - the same

        desk()
