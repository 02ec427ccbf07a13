"""The service reads what its settings say arrives there: its own hosts, and numbers from before."""

from pathlib import Path

import pytest

from cylinder_api.acts.common import read_name
from cylinder_api.acts.fill import read_again
from cylinder_api.cli import main
from cylinder_api.settings import settings_for
from vectors.admission.cases import base_case

ENVIRONMENT = {"LINK_HOSTS": "ids.example old.example", "LEGACY_FORMS": "province=ZJ{digits:12}"}


def test_a_number_from_before_is_read_in_every_act_once_its_form_is_named(tmp_path: Path) -> None:
    forms = settings_for(tmp_path, environment=ENVIRONMENT).forms
    assert read_name("zj330100000017", forms).text == "province:ZJ330100000017"
    asked = base_case().request.model_copy(update={"raw_scan": "ZJ330100000017", "code": None})
    assert read_again(asked, forms).code == "province:ZJ330100000017"
    assert read_again(asked, settings_for(tmp_path, environment={}).forms).code is None


def test_links_are_ours_under_the_hosts_that_are_named(tmp_path: Path) -> None:
    forms = settings_for(tmp_path, environment=ENVIRONMENT).forms
    assert read_name("HTTPS://OLD.EXAMPLE/C/04HMASW9NF6YZZPW1011YN6955", forms).text == "04HMASW9NF6YZZPW1011YN6955"


def test_a_form_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEGACY_FORMS", "sscc=ZJ{digits:12}")
    assert main(["user", "list", "--data", str(tmp_path)]) == 2
    assert "form 1" in capsys.readouterr().err
