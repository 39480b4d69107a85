"""The three services as a program, until it is ended."""

import argparse

from tests.support.outside.server import Outside


def main() -> None:
    """Serve on the address that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    outside = Outside(given.host, given.port)
    print(outside.url, flush=True)
    outside.serve()


if __name__ == "__main__":
    main()
