"""The reference of the event hash ID, `epcis-event-hash-generator`: another program, asked as it is."""

import json
import logging
import warnings
from collections.abc import Mapping
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from epcis_event_hash_generator import hash_generator, json_to_py

from cylinder_trace.epcis.cbv import PREFIXES


def reference_prehashes(document: Mapping[str, Any], *, forgetful: bool = False) -> list[str | None]:
    """The text that the reference hashes for each event; None for one that it cannot read.

    It is told which prefixes GS1's own context declares: asked as it is, `forgetful`, it knows only those that stand in
    the document once more, so that one event has two hashes.  And it is asked without what it stumbles over and what
    changes no hash: rules of type in a context, and GS1's own prefixes declared once more.
    """
    declared = own_prefixes(document["@context"]) if forgetful else all_prefixes(document["@context"])
    context = [part for part in _listed(document["@context"]) if isinstance(part, str)]
    plain = {prefix: name for prefix, name in declared.items() if prefix not in PREFIXES}
    asked = {**document, "@context": [*context, plain]}
    return [_prehash(asked, event, declared) for event in events_of(document)]


def _prehash(document: Mapping[str, Any], event: Any, declared: Mapping[str, str]) -> str | None:
    json_to_py._namespaces.clear()  # it keeps what an earlier document declared
    json_to_py._namespaces.update({prefix: f"{{{name}}}" for prefix, name in declared.items()})
    alone = json.loads(json.dumps({**document, "epcisBody": {"eventList": [event]}}))
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = json_to_py.event_list_from_epcis_document_json(alone)
            return next(iter(hash_generator.derive_prehashes_from_events(read)), None)
    except IndexError:  # of a paper that says no type
        return None
    finally:
        logging.disable(level)


def events_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events of a document, whether somebody sent it or a query was answered with it."""
    body = document["epcisBody"]
    found: list[dict[str, Any]] = (body["queryResults"]["resultsBody"] if "queryResults" in body else body)["eventList"]
    return found


def own_prefixes(context: Any) -> dict[str, str]:
    """The prefixes that a document declares itself."""
    maps = [part for part in _listed(context) if isinstance(part, dict)]
    return {prefix: name for part in maps for prefix, name in part.items() if isinstance(name, str)}


def all_prefixes(context: Any) -> dict[str, str]:
    """Those, and what GS1's own context declares for everybody."""
    return {**PREFIXES, **own_prefixes(context)}


def _listed(context: Any) -> list[Any]:
    return context if isinstance(context, list) else [context]
