"""What a station did offline is judged by the rulebook of its moment, however late the record arrives."""

from pathlib import Path

from api_house import TARE_G, Device, House, filled, new_id

from cylinder_trace import events
from cylinder_trace.dates import DAY_MS, format_day, local_day
from cylinder_trace.rulebook import parse_rulebook


def stricter(text: str, from_day: int) -> str:
    """The next version of a rulebook: fills may take ten seconds at the most."""
    book = parse_rulebook(text)
    text = text.replace(f'version = "{book.version}"', 'version = "2999.1"')
    text = text.replace(f'valid_from = "{book.valid_from}"', f'valid_from = "{format_day(from_day)}"')
    return text.replace(f"longest_fill_seconds = {book.fill.longest_fill_seconds}", "longest_fill_seconds = 10")


def test_a_fill_uploaded_after_a_stricter_version_began_is_judged_by_the_one_of_its_decision(tmp_path: Path) -> None:
    start, later = 1_790_000_000_000, [0]
    with House(tmp_path, clock=lambda: start + later[0]) as house:
        text = stricter(house.rulebook, local_day(start) + 1)
        book = parse_rulebook(text)
        assert book.fill.longest_fill_seconds == 10
        published = events.RulebookPublished(rulebook_id=book.rulebook_id, version=book.version, text=text)
        house.append(f"rulebook/{book.rulebook_id}", published, at=start)
        old, new, device = house.new_bottle(), house.new_bottle(), Device()
        for bottle, version in ((old, "2026.1"), (new, "2999.1")):
            check_id = new_id("chk")
            decided = device.decide(bottle, check_id=check_id, requested_at=start)
            data = {
                **decided.data,
                "decision": {**decided.data["decision"], "rulebook": f"{book.rulebook_id}@{version}"},
            }
            device.records[-1] = decided.model_copy(update={"data": data})
            fill = filled(check_id).model_copy(
                update={"started_at": start + 1_000, "ended_at": start + 90_000, "full_gross_g": TARE_G + 14_500}
            )
            device.record(fill, bottle.subject, f"{check_id}.filled", start + 90_000)
        later[0] = 3 * DAY_MS
        answer = house.as_("station").post("/v1/stations/st_1/entries", json=device.upload())
        assert answer.json()["problem"] is None, answer.text
        assert house.disputes(old.subject) == []
        assert house.disputes(new.subject) == ["fill_too_long"]
