"""A delivery round (配送): a full cylinder is sold by real name, the kitchen is checked, the empty comes back."""

from locust import task

from load_stations import now_ms
from users.caller import Caller, Run
from users.station_day import Place


class DeliveryRound(Caller):
    """One delivery worker (送气工) with a phone."""

    rate = 0.5

    @task
    def deliver(self) -> None:
        """Take the next full cylinder to a customer who is not on file yet; where none waits there is no order."""
        if not Place.full:
            return
        place, cylinder, order_no = Place.full.popleft()
        token = Run.brief.delivery[place.brief.company_id]
        worker = {"worker_id": place.brief.workers[0], "order_no": order_no}
        who = {"name": "生成用户", "id_number": f"EXAMPLE-{order_no}", "phone": "EXAMPLE", "address": "示例路 1 号"}
        sale = self._act("sale", "/v1/sales", cylinder.code, "sale 实名销售", token, **worker,
                         point_id="dp_01", safety_check_passed=True, customer=who)  # fmt: skip
        if sale is not None:
            self._act("home", "/v1/safety-checks", cylinder.code, "safety check 随瓶安检", token, **worker,
                      customer_id=sale["customer_id"], outcome="not_met")  # fmt: skip
        station_id = place.brief.station_id
        if self._act("back", "/v1/returns", cylinder.code, "empty back 空瓶回收", token, station_id=station_id):
            place.empty.append(cylinder)

    def _act(self, kind: str, path: str, code: str, name: str, token: str, **data: object) -> dict[str, str] | None:
        id = Run.new_id(kind)
        body = {"id": id, "code": code, "occurred_at": now_ms(), **data}
        answer: dict[str, str] | None = self.act(path, id, body, name, token)
        return answer
