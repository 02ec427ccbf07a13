"""A customer's personal data, which lie outside the ledger: who read them and what for, and their end (个人信息)."""

from typing import ClassVar, Literal

from cylinder_trace.values import Frozen, Id

Purpose = Literal["delivery", "safety_check", "complaint", "accident", "recall", "supervision", "own_request"]
"""配送、入户安检、投诉处理、事故处置、召回通知、监督检查、本人请求: a word, because a sentence could name somebody."""


class PersonalDataRead(Frozen):
    """Somebody read a customer's personal data in plain (个人信息查阅). It is recorded before anything is shown."""

    type: ClassVar[str] = "personal_data_read"
    org_id: Id
    """The organisation for which it was read; the person or system is the entry's author."""
    purpose: Purpose
    case_no: Id | None = None
    """Number of the case, order or report that it belongs to."""


class PersonalDataErased(Frozen):
    """The key of a customer's personal data was deleted (个人信息删除): from then on nobody can read them."""

    type: ClassVar[str] = "personal_data_erased"
    company_id: Id
    """Who answered for the data (个人信息处理者)."""
    cause: Literal["own_request", "contract_ended", "retention_ended", "taken_by_mistake"]
    """本人请求、合同终止、保存期满、误采集."""
