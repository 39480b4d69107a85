"""The messages of a split that nothing was learnt of.

Guests all write "stop" and "wifi?", and so do the examples. Such a message is left out of what is
measured, not out of what is learnt.
"""

from app.conversation import training
from tests.evaluation.likeness import Neighbours, normalised
from tests.evaluation.messages import Message, Split, read


def unseen(split: Split) -> list[Message]:
    """Those that no example is alike to, but for an edit."""
    examples = Neighbours({normalised(text) for text, _ in training.examples()})
    return [one for one in read(split) if not any(examples.of(normalised(one.text)))]
