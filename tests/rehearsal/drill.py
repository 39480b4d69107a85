"""``make failover-drill``: the Mac's power is cut again and again while guests talk.

Each cut at a moment drawn by lot: the VPS must answer within a minute, with nobody's help; the Mac,
once it has power again, must take the lead back by itself with a short pause; no accepted message
may stay without an answer, and none be answered twice.

Exit 0: every promise was kept. 1: one was broken. 2: it could not be run.
"""

import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from app.ha.journal import Entry
from tests.rehearsal import cluster, hosts
from tests.rehearsal.accounts import Account, Outside, Talk, talking
from tests.rehearsal.cluster import MAC, VPS, Node
from tests.rehearsal.drilling import BUILD, RETURN_PATIENCE, SETTLE_PATIENCE, Drill, begin
from tests.rehearsal.layout import PROJECT
from tests.rehearsal.shell import RehearsalError, run
from tests.rehearsal.verdict import first_reply, longest_pause

RESULTS: Final = BUILD / "failover-drill.json"

# Promise P4 (docs/failover.md).
ANSWERS_WITHIN: Final = 60.0
PAUSES_AT_MOST: Final = 30.0

# How long is waited before something is called broken: longer than the promises, so that the
# results say by how much they were missed.
ANSWER_PATIENCE: Final = 180.0
# How long guests talk from the VPS's first reply until the power is back, in seconds.
TALK_ON: Final = 15.0
# Messages a second.
RATE: Final = 10.0
# The same while the Mac comes back: enough to see a pause, and too few to make each cut's
# database, which the Mac fetches, much larger than the last one's.
RETURN_RATE: Final = 2.0
# How long it is looked on once the Mac has answered, in seconds.
SEEN_ON: Final = 5.0


@dataclass
class Cut:
    """What one power cut brought. Seconds; None: it did not come about."""

    number: int
    after: float = 0.0
    first_reply: float | None = None
    pause: float | None = None
    back: float | None = None
    told: int = 0
    answered: int = 0
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    unaccepted: int = 0
    two_senders: list[str] = field(default_factory=list)
    takeover: list[str] = field(default_factory=list)
    switchover: list[str] = field(default_factory=list)
    failed: str | None = None

    @property
    def broken(self) -> list[str]:
        """The promises that this cut broke."""
        facts = {
            f"no reply within {ANSWERS_WITHIN:.0f} s": self.first_reply is None
            or self.first_reply >= ANSWERS_WITHIN,
            f"a pause of {PAUSES_AT_MOST:.0f} s or more at the way back": self.pause is None
            or self.pause >= PAUSES_AT_MOST,
            f"{len(self.lost)} lost": bool(self.lost),
            f"{len(self.doubled)} answered twice": bool(self.doubled),
            **dict.fromkeys(self.two_senders, True),
        }
        found = [what for what, is_so in facts.items() if is_so]
        return [self.failed, *found] if self.failed else found

    @property
    def line(self) -> str:
        """The cut in one line."""
        figures = [
            f"first reply {_seconds(self.first_reply)}",
            f"pause on return {_seconds(self.pause)}",
            f"lead back after {_seconds(self.back)}",
            f"{self.answered}/{self.told} answered",
            f"lost {len(self.lost)}",
            f"doubled {len(self.doubled)}",
        ]
        verdict = "kept" if not self.broken else f"BROKEN: {'; '.join(self.broken)}"
        return f"cut {self.number:2}: {', '.join(figures)}. {verdict}"


def main() -> None:
    """Drill."""
    drill = begin(__doc__, "cuts", RATE)
    cuts = _drill(drill)
    write(RESULTS, cuts, drill.seed, drill.rate)
    print(summary(cuts))
    raise SystemExit(verdict(cuts, drill.rounds))


def _drill(drill: Drill) -> list[Cut]:
    """Cut after cut; the first after which the cluster isn't well again is the last."""
    chance = drill.chance()
    done = []
    for number in range(1, drill.rounds + 1):
        cut = Cut(number)
        done.append(cut)
        try:
            power_cut(cut, drill.outside, drill.rate, chance)
        except RehearsalError as error:
            cut.failed = str(error)
        print(cut.line, flush=True)
        for name in ("takeover", "switchover"):
            print(f"        {name}: {', '.join(getattr(cut, name)) or 'none'}", flush=True)
        if cut.broken:
            evidence = BUILD / f"failover-drill-cut-{number}"
            cluster.keep_evidence(evidence)
            print(f"        what there is to read: {evidence}", flush=True)
        if cut.failed:
            hosts.up([MAC.host])
            break
    return done


def power_cut(
    cut: Cut, outside: Outside, rate: float, chance: random.Random, talk_on: float = TALK_ON
) -> None:
    """Cut the Mac's power while guests talk, give it back, and fill in what that brought.

    ``talk_on``: seconds from the VPS's first reply until the power is back.

    Raises:
        RehearsalError: Something did not come about; what is known stands in ``cut``.
    """
    cluster.await_well(RETURN_PATIENCE)
    with ExitStack() as running:
        talks = [running.enter_context(talking(outside, rate=rate))]
        cluster.until(lambda: talks[0].count().handed, "the first reply of the talk", 60)
        cut.after = chance.uniform(5, 20)
        time.sleep(cut.after)
        cut_at = time.time()
        hosts.power_off(MAC.host)
        try:
            await_reply(talks[0], VPS, cut_at)
            time.sleep(talk_on)
            cut.takeover = steps(cluster.journal(VPS, cut_at), "takeover")
            talks.append(running.enter_context(talking(outside, rate=RETURN_RATE)))
            talks[0].stop()
            on_at = time.time()
            hosts.up([MAC.host])
            _await_return(cut, talks[1], on_at)
        except RehearsalError:
            _fill(cut, _together(talks), cut_at)
            raise
        found = _together(talks)
        _fill(cut, found, cut_at)
        cut.pause = longest_pause(found.handed, on_at, _last_told(found))
        cut.two_senders = cluster.two_senders(found.handed)
        cut.switchover = steps(
            [one for node in (VPS, MAC) for one in cluster.journal(node, on_at)], "switchover"
        )


def _together(talks: Sequence[Talk]) -> Account:
    """Have all fall silent, and count once what is on its way has arrived."""
    for talk in talks:
        talk.stop()
    # The first one's is of all that was sent since it began.
    found = [talk.settle(SETTLE_PATIENCE) for talk in reversed(talks)]
    return replace(found[-1], told=tuple(one for each in found for one in each.told))


def _await_return(cut: Cut, talk: Talk, on_at: float) -> None:
    """The Mac leads again, and has answered for as long as shows that it goes on."""
    cluster.until(lambda: cluster.leads(MAC), "the Mac leads again", RETURN_PATIENCE)
    led_at = time.time()
    cut.back = led_at - on_at
    await_reply(talk, MAC, led_at)
    time.sleep(SEEN_ON)


def replies_by(talk: Talk, node: Node, after: float) -> float | None:
    """How long after ``after`` a node first answered a guest; None: it hasn't."""
    return first_reply(talk.count().handed, after, node.host.internet_address)


def await_reply(talk: Talk, node: Node, after: float, seconds: float = ANSWER_PATIENCE) -> float:
    """Wait until a node answers a guest; how long after ``after`` that was.

    Raises:
        RehearsalError: It doesn't within ``seconds``.
    """
    cluster.until(
        lambda: replies_by(talk, node, after) is not None, f"{node.name} answers a guest", seconds
    )
    found = replies_by(talk, node, after)
    assert found is not None
    return found


def _fill(cut: Cut, found: Account, cut_at: float) -> None:
    verdict = found.verdict
    cut.first_reply = first_reply(found.handed, cut_at, VPS.host.internet_address)
    cut.told, cut.answered = verdict.told, verdict.answered
    cut.lost, cut.doubled = verdict.lost, verdict.doubled
    cut.unaccepted = len(verdict.unaccepted)


def _last_told(found: Account) -> float:
    return max(one.at for one in found.told)


def steps(entries: list[Entry], procedure: str) -> list[str]:
    """The steps of a procedure in words, each with what it took."""
    wanted = [one for one in entries if one.procedure == procedure]
    return [f"{one.name} {(one.took_ms or 0) / 1000:.2f} s" for one in wanted]


def verdict(cuts: list[Cut], wanted: int) -> int:
    """The exit code."""
    is_kept = len(cuts) == wanted and not any(cut.broken for cut in cuts)
    return 0 if is_kept else 1


def summary(cuts: list[Cut]) -> str:
    """The distribution of the figures, and what was broken."""
    lines = [
        f"{name}: {_distribution([getattr(cut, key) for cut in cuts])}"
        for name, key in (
            ("first reply by the VPS", "first_reply"),
            ("pause on return", "pause"),
            ("lead back after power", "back"),
        )
    ]
    told, answered = sum(cut.told for cut in cuts), sum(cut.answered for cut in cuts)
    lost, doubled = sum(len(cut.lost) for cut in cuts), sum(len(cut.doubled) for cut in cuts)
    lines.append(f"messages: {told}, answered {answered}, lost {lost}, answered twice {doubled}")
    broken = [f"cut {cut.number}: {what}" for cut in cuts for what in cut.broken]
    lines += ["BROKEN", *broken] if broken else ["every promise was kept"]
    return "\n".join(lines)


def write(path: Path, cuts: list[Cut], seed: int, rate: float) -> None:
    """Keep the results for docs/failover.md."""
    path.parent.mkdir(parents=True, exist_ok=True)
    commit = run("git", "-C", PROJECT, "rev-parse", "--short", "HEAD").strip()
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "seed": seed,
        "rate": rate,
        "cuts": [{**asdict(cut), "broken": cut.broken} for cut in cuts],
    }
    path.write_text(json.dumps(content, indent=2))


def _distribution(values: list[float | None]) -> str:
    """Seconds, as min / median / p90 / max."""
    known = [value for value in values if value is not None]
    if not known:
        return "none"
    p90 = quantiles(known, n=10, method="inclusive")[-1] if len(known) > 1 else known[0]
    figures = (min(known), median(known), p90, max(known))
    missing = f" ({len(values) - len(known)} never)" if len(known) < len(values) else ""
    return f"min / median / p90 / max {' / '.join(f'{x:.1f}' for x in figures)} s{missing}"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream
    main()
