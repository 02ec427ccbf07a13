"""``lock-note``: an authority signs a lock where its key is, and sends it from where the network is."""

import argparse
import json
from datetime import datetime

from pydantic import ValidationError

from cylinder_api.acts.supervision import LockAct
from cylinder_api.commands.failure import CannotDo
from cylinder_api.service import system_clock
from cylinder_codes.commands.common import CannotCheck
from cylinder_codes.commands.passphrase import Passphrase, read_secret
from cylinder_codes.keys import SigningKey
from cylinder_codes.pem import read_signer
from cylinder_trace.locks import LockNoteError, sign_lock


def lock_note(options: argparse.Namespace) -> int:
    """Print the signed body of POST /v1/locks; raises CannotDo."""
    target = "scale" if options.scale else "station" if options.lane is None else "lane"
    facts = {"id": options.id, "station_id": options.station, "target": target, "scale_id": options.scale,
             "lane": options.lane, "locked": not options.unlock, "cause": options.cause,
             "until": _instant(options.until), "occurred_at": system_clock()}  # fmt: skip
    stated = {name: value for name, value in facts.items() if value is not None}
    try:
        act = LockAct.model_validate_json(json.dumps(stated))
        note = sign_lock(act.words(options.authority), _signer(options))
    except ValidationError as error:
        raise CannotDo(error.errors(include_url=False, include_input=False)[0]["msg"]) from error
    except LockNoteError as error:
        raise CannotDo(f"{options.key}: {error}") from error
    print(json.dumps({**stated, "note": note}, ensure_ascii=False))
    return 0


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CannotDo(f"--until {text} is no moment; write 2026-12-01T08:00:00+08:00") from error
    if moment.tzinfo is None:
        raise CannotDo(f"--until {text} names no zone; write {text}+08:00 for Beijing")
    return int(moment.timestamp() * 1000)


def _signer(options: argparse.Namespace) -> SigningKey:
    """The key in the file, plain or under its passphrase; raises CannotDo."""
    try:
        return read_secret(options.key, read_signer, Passphrase(options))
    except CannotCheck as error:
        raise CannotDo(str(error)) from error
