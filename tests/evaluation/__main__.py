"""Measure the brain on messages that it never learnt from.

Run: ``python -m tests.evaluation [--split dev|test]``. Exits with 1 when a goal is missed. On `dev`
it lists each mistake too; those of `test` stay unseen, or it would measure nothing any more.
"""

import argparse
import sys

from app.conversation import brain
from tests.evaluation import goals, memory, report
from tests.evaluation.messages import Split, read
from tests.evaluation.unseen import unseen
from tests.evaluation.verdicts import judge


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation")
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.TEST)
    split: Split = parser.parse_args().split
    brain.warm_up()
    messages = unseen(split)
    verdicts = judge(messages)
    measures = goals.measures(verdicts, memory.measured())
    left_out = len(read(split)) - len(messages)
    print(f"the brain on {split}, {len(messages)} messages; {left_out} stand in the examples\n")
    print(*report.accuracies(verdicts), sep="\n", end="\n\n")
    print(*report.against_goals(measures), sep="\n")
    if split is Split.DEV:
        print("\nmistakes: language, intent, taken for, score, message")
        print(*report.mistakes(verdicts), sep="\n")
    sys.exit(not all(one.met for one in measures))


if __name__ == "__main__":
    main()
