"""A regulator (监管部门) at work: searches, a cylinder's history, the same with its proof, the lists of the morning."""

from locust import task

from users.caller import Caller, Run


class Regulator(Caller):
    """One official at a desk."""

    rate = 0.2

    @task(4)
    def search(self) -> None:
        """Who has what, and what is overdue: a list by one condition, a page of fifty."""
        station = self.dice.choice(Run.brief.stations)
        by = self.dice.choice((f"station={station.station_id}", f"owner={station.company_id}", "black=true"))
        self._read(f"/v1/cylinders?{by}&limit=50", "search 查询")

    @task(4)
    def history(self) -> None:
        """Everything that was recorded of a cylinder."""
        self._read(f"/v1/cylinders/{self._any_code()}/history", "history 历史")

    @task(1)
    def bundle(self) -> None:
        """The same with its proof."""
        self._read(f"/v1/cylinders/{self._any_code()}/bundle", "history with proof 证明包")

    @task(1)
    def alarms(self) -> None:
        """The alarms and disputes that nobody has looked at."""
        self._read("/v1/alarms?limit=50", "alarms 报警")
        self._read("/v1/disputes?limit=50", "disputes 争议")

    def _any_code(self) -> str:
        return self.dice.choice(self.dice.choice(Run.brief.stations).cylinders).code

    def _read(self, path: str, name: str) -> None:
        self.get(path, name, {"Authorization": f"Bearer {Run.brief.regulator}"})
