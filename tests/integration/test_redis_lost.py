"""Redis lost whole: the rows refill it."""

import redis

from tests.support.events import inbound
from tests.support.guest import all_settled, post, sent_keys, write
from tests.support.processes import Stack, wait_for_redis

MESSAGES = 100


def test_redis_flushed_while_a_hundred_wait(own: Stack) -> None:
    for number in range(MESSAGES):
        assert post(own, inbound("Ciao", f"+39000{number % 10:07d}")).status_code == 200
    client = redis.Redis.from_url(own.redis_url)
    client.flushall()
    own.start_worker()
    all_settled(own, MESSAGES)
    assert sorted(sent_keys(own).values()) == [1] * MESSAGES


def test_redis_flushed_again_and_again_while_they_are_answered(running: Stack) -> None:
    client = redis.Redis.from_url(running.redis_url)
    for number in range(MESSAGES):
        assert post(running, inbound("Ciao", f"+39000{number % 10:07d}")).status_code == 200
        if number % 20 == 19:
            client.flushall()
    all_settled(running, MESSAGES)
    assert sorted(sent_keys(running).values()) == [1] * MESSAGES


def test_redis_killed_and_restarted_under_the_worker(own: Stack) -> None:
    own.start_worker()
    write(own)
    all_settled(own, 1)
    own.redis.kill()
    write(own, "Wo kann ich parken?")
    own.redis.start()
    wait_for_redis(own.redis, own.redis_url)
    all_settled(own, 2)
    assert list(sent_keys(own).values()) == [1, 1]
