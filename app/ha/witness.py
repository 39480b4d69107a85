"""The witness: an object in a bucket that says who leads while the authority can't be asked.

Only by conditional PUT (`If-None-Match: *` for the first, `If-Match: <etag>` afterwards): of two
who claim at once, S3 lets one through. A leader claims again, in its term, each time it would have
renewed its lease, and counts from before it asked; a taker claims the next term with an etag that
it saw unchanged for a whole lease. Whoever's claim loses is no leader (docs/failover.md).
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from app.lease import Term
from app.settings import Settings, SettingsError

KEY: Final = "portiere/lease.json"
# The lease is being lost meanwhile: better to ask again at the next renewal.
_PATIENCE_SECONDS: Final = 3
_REFUSED: Final = (409, 412)
_MISSING: Final = 404
_AWS_DEFAULT: Final = "us-east-1"


class WitnessError(Exception):
    """It can't be asked, or not be read; what was claimed may have been taken all the same."""


class LostError(Exception):
    """Another claimed before: who asked does not lead."""


@dataclass(frozen=True)
class Seen:
    """What stands in the object. Each claim has another ``etag``, also in the same term."""

    term: int
    holder: str
    etag: str


class _Body(BaseModel):
    """``claim`` is new each time: an etag is a digest, and would stay the same without it."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    term: Term
    holder: str
    claim: str


class Witness:
    """The object in ``bucket``; ``client`` is boto3's of S3, which threads may share."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self) -> Seen | None:
        """Who claimed last; None before the first. Raises WitnessError."""
        status, answer = self._ask("get_object")
        if status == _MISSING:
            return None
        if answer is None:
            raise WitnessError(f"reading it was answered by {status}")
        return self._read(answer)

    def claim(self, term: int, holder: str, expected: Seen | None) -> Seen:
        """Write that ``holder`` leads in ``term``, if the object still is what was ``expected``.

        Raises LostError if another was quicker, or the object is gone; WitnessError if it is not
        known what became of it: claim again.
        """
        if made := self._put(term, holder, expected):
            return made
        found = self.read()
        if found is None or (found.term, found.holder) != (term, holder):
            raise LostError
        # An earlier claim of ours whose answer was lost. It may be old: only a new one is counted
        # from now, for the other node has counted since it saw the old.
        if made := self._put(term, holder, found):
            return made
        raise LostError

    def _put(self, term: int, holder: str, expected: Seen | None) -> Seen | None:
        """None if it was refused: the object is not what was expected."""
        condition = {"IfMatch": expected.etag} if expected else {"IfNoneMatch": "*"}
        body = _Body(term=term, holder=holder, claim=uuid.uuid4().hex).model_dump_json()
        status, answer = self._ask(
            "put_object", Body=body.encode(), ContentType="application/json", **condition
        )
        if answer is not None:
            return Seen(term, holder, answer["ETag"])
        if status in _REFUSED or (status == _MISSING and expected):
            return None
        raise WitnessError(f"a claim was answered by {status}")

    def _read(self, answer: dict[str, Any]) -> Seen:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - optional, see `make_witness`

        try:
            body = _Body.model_validate_json(answer["Body"].read())
        except ValidationError:
            raise WitnessError(f"{self._bucket}/{KEY} is not ours: delete it") from None
        except BotoCoreError as error:
            raise WitnessError(type(error).__name__) from None
        return Seen(body.term, body.holder, answer["ETag"])

    def _ask(self, what: str, **more: Any) -> tuple[int, dict[str, Any] | None]:
        """The status, and the answer if it is a good one. Raises WitnessError if there is none."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - optional

        try:
            answer = getattr(self._client, what)(Bucket=self._bucket, Key=KEY, **more)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                raise WitnessError(f"there is no bucket {self._bucket}: make it") from None
            return error.response["ResponseMetadata"]["HTTPStatusCode"], None
        except BotoCoreError as error:
            raise WitnessError(type(error).__name__) from None
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer


def make_witness(settings: Settings) -> Witness | None:
    """The witness of these settings, not asked yet; None if they name none.

    Raises SettingsError if what it needs is not installed.
    """
    if not settings.ha_witness_bucket:
        return None
    try:
        # Half a second and 30 MB, for the few who have a bucket.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            "PORTIERE_HA_WITNESS_BUCKET needs boto3: install `portiere[s3]`"
        ) from None
    endpoint = settings.ha_witness_endpoint
    config = Config(
        connect_timeout=_PATIENCE_SECONDS,
        read_timeout=_PATIENCE_SECONDS,
        retries={"total_max_attempts": 1},
        # Other services than AWS's: not each has a name per bucket, or knows the new checksums.
        s3={"addressing_style": "path" if endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=str(endpoint) if endpoint else None,
        region_name=settings.ha_witness_region or _AWS_DEFAULT,
        aws_access_key_id=settings.ha_witness_key_id.get_secret_value(),
        aws_secret_access_key=settings.ha_witness_secret.get_secret_value(),
        config=config,
    )
    return Witness(client, settings.ha_witness_bucket)
