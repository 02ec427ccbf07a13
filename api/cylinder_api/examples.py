"""Example bodies for the OpenAPI document; generated, not real."""

from typing import Any

_CODE = "7K2M-9QRT-4XWZ-B8ND-PVHC-3J5E-69"
_OCCURRED_AT = 1_795_312_800_000

FILL_REQUEST: dict[str, Any] = {
    "check_id": "st_01.boot7.000123",
    "raw_scan": "HTTPS://ID.PINGLIAN.EXAMPLE/C/7K2M9QRT4XWZB8NDPVHC3J5E69\r",
    "code": "7K2M9QRT4XWZB8NDPVHC3J5E69",
    "station_id": "st_01",
    "scale_id": "sc_01_3",
    "lane": 3,
    "boot_id": "boot7",
    "worker_id": "fl_01_1",
    "findings": [],
    "empty_gross_g": 16_620,
    "requested_at": _OCCURRED_AT,
}
FILL_REPORT: dict[str, Any] = {
    "id": "st_01.boot7.000123.fill",
    "check_id": "st_01.boot7.000123",
    "scale_id": "sc_01_3",
    "lane": 3,
    "worker_id": "fl_01_1",
    "started_at": _OCCURRED_AT + 8_000,
    "ended_at": _OCCURRED_AT + 95_000,
    "empty_gross_g": 16_620,
    "full_gross_g": 31_000,
    "net_g": 14_500,
    "ended_because": "limit_reached",
}
UPLOAD: dict[str, Any] = {
    "device_id": "dev_0123456789abcdef0123",
    "records": ['{"by":"fl_01_1","data":{},"device":{},"id":"…","occurred_at":0,"refs":[],"subject":"…","v":1}'],
    "head": {"seq": 0, "hash": "0" * 64, "signature": "base64 of 64 bytes"},
}
CODE_REQUEST: dict[str, Any] = {"station_id": "st_01"}
ENROLMENT: dict[str, Any] = {"code": "4X7K-9QRT-2MWZ-B8ND", "vkey": "st_01-pc+0a1b2c3d+AQ…"}
SALE: dict[str, Any] = {
    "id": "order-20261122-0001.sale",
    "code": _CODE,
    "order_no": "order-20261122-0001",
    "point_id": "dp_01",
    "worker_id": "dw_0001",
    "customer": {"name": "示例用户", "id_number": "EXAMPLE-ID", "phone": "EXAMPLE-PHONE", "address": "示例路 1 号"},
    "safety_check_passed": True,
    "occurred_at": _OCCURRED_AT,
}
READING: dict[str, Any] = {
    "id": "reading-20261122-0001",
    "purpose": "safety_check",
    "case_no": "order-20261122-0001",
    "occurred_at": _OCCURRED_AT,
}
ERASURE: dict[str, Any] = {"id": "erasure-20261122-0001", "cause": "own_request", "occurred_at": _OCCURRED_AT}
RETURN: dict[str, Any] = {
    "id": "st_01.return.000017",
    "code": _CODE,
    "station_id": "st_01",
    "occurred_at": _OCCURRED_AT,
}
DEPARTURE: dict[str, Any] = {
    "id": "st_01.departure.000017",
    "code": _CODE,
    "station_id": "st_01",
    "worker_id": "dl_01_1",
    "vehicle_id": "vehicle-017",
    "order_no": "order-20261122-0001",
    "occurred_at": _OCCURRED_AT,
}
SAFETY_CHECK: dict[str, Any] = {
    "id": "dl_01_1.safety.000017",
    "code": _CODE,
    "order_no": "order-20261122-0001",
    "customer_id": "cus_000000000000000000000017",
    "worker_id": "dl_01_1",
    "outcome": "rectify",
    "items": [{"item": "H1", "result": "passed"}, {"item": "H4", "result": "rectify"}],
    "remark": "软管超过两年 the hose is older than two years",
    "occurred_at": _OCCURRED_AT,
}
_EVERY_ITEM = [
    "residue",
    "valve_removal",
    "appearance",
    "valve_seat",
    "wall_thickness",
    "hydrostatic",
    "valve",
    "airtightness",
    "vacuum",
    "marking",
]
RACK: dict[str, Any] = {
    "id": "ib_01.rack.2026.0042",
    "inspected_month": "2026-11",
    "next_due_month": "2030-11",
    "report_no": "EXAMPLE-2026-0042",
    "items": _EVERY_ITEM,
    "codes": [_CODE],
    "exceptions": [],
    "occurred_at": _OCCURRED_AT,
}
INSPECTION: dict[str, Any] = {
    "id": "ib_01.2026.000421",
    "code": _CODE,
    "inspected_month": "2026-11",
    "next_due_month": "2030-11",
    "result": "passed",
    "report_no": "EXAMPLE-2026-000421",
    "tare_g": 16_480,
    "items": _EVERY_ITEM,
    "occurred_at": _OCCURRED_AT,
}
ITEM_RESULT: dict[str, Any] = {
    "id": "ib_01.2026.000421.wall",
    "code": _CODE,
    "report_no": "EXAMPLE-2026-000421",
    "item": "wall_thickness",
    "result": "passed",
    "inspector_id": "in_01_1",
    "reviewer_id": "in_01_2",
    "reading": 2_610,
    "unit": "um",
    "occurred_at": _OCCURRED_AT,
}
VALVE_CHANGE: dict[str, Any] = {
    "id": "ib_01.2026.000421.valve",
    "code": _CODE,
    "removed_serial": "V-2022-0911",
    "maker": "示例阀门单位",
    "serial": "V-2026-0007",
    "made_month": "2026-06",
    "occurred_at": _OCCURRED_AT,
}
EVALUATION: dict[str, Any] = {
    "id": "ib_01.2026.000424",
    "code": _CODE,
    "passed": True,
    "valid_until_month": "2030-11",
    "report_no": "EXAMPLE-2026-000424",
    "occurred_at": _OCCURRED_AT,
}
CONDEMNATION: dict[str, Any] = {
    "id": "ib_01.2026.000422",
    "code": _CODE,
    "cause": "瓶体腐蚀 corroded body",
    "occurred_at": _OCCURRED_AT,
}
DESTRUCTION: dict[str, Any] = {
    "id": "ib_01.2026.000423",
    "code": _CODE,
    "method": "crushed",
    "evidence_sha256": ["0" * 64, "1" * 64, "2" * 64],
    "occurred_at": _OCCURRED_AT,
}
HAND_OVER: dict[str, Any] = {
    "id": "co_01.2026.000032",
    "code": _CODE,
    "to_holder_id": "co_02",
    "basis": "entrusted",
    "occurred_at": _OCCURRED_AT,
}
ACCEPTANCE: dict[str, Any] = {"occurred_at": _OCCURRED_AT}
SEIZURE: dict[str, Any] = {
    "id": "au_01.2026.000010",
    "code": _CODE,
    "document_no": "示例查封 2026-0010",
    "cause": "外观可疑 looks refurbished",
    "occurred_at": _OCCURRED_AT,
}
SEIZURE_LIFTING: dict[str, Any] = {**SEIZURE, "id": "au_01.2026.000011", "cause": "核查无误 checked, in order"}
LICENCE: dict[str, Any] = {
    "id": "au_01.2026.000012",
    "company_id": "ib_01",
    "licence_no": "示例检验核准 0001",
    "scope": "inspection",
    "valid_from": "2024-01-01",
    "valid_until": "2027-12-31",
    "occurred_at": _OCCURRED_AT,
}
FLAG: dict[str, Any] = {
    "id": "au_01.2026.000007",
    "code": _CODE,
    "flag": "black",
    "cause": "钢印被磨去 stamp ground off",
    "evidence_sha256": ["0" * 64],
    "occurred_at": _OCCURRED_AT,
}
FLAG_CLEARING: dict[str, Any] = {
    "id": "au_01.2026.000008",
    "code": _CODE,
    "flag": "black",
    "cause": "核查无误 checked, in order",
    "occurred_at": _OCCURRED_AT,
}
RECALL: dict[str, Any] = {
    "id": "au_01.recall.2026-03",
    "maker": "示例制造单位",
    "model": "YSP35.5",
    "made_from": "2026-05",
    "made_to": "2026-06",
    "cause": "瓶阀漏气 leaking valves",
    "occurred_at": _OCCURRED_AT,
}
RECALL_CLOSING: dict[str, Any] = {"cause": "瓶阀均已更换 all valves replaced", "occurred_at": _OCCURRED_AT}
RETAG_REQUEST: dict[str, Any] = {
    "id": "co_01.2026.000033",
    "code": "province:ZJ330100000017",
    "old_code": _CODE,
    "cause": "标签脱落 label lost",
    "stamp_serial_seen": "A26050007",
    "evidence": [{"sha256": "0" * 64, "media_type": "image/jpeg", "size": 182_044}],
    "occurred_at": _OCCURRED_AT,
}
RETAG_GRANT: dict[str, Any] = {"new_code": "4X7K-9QRT-2MWZ-B8ND-PVHC-3J5E-11", "occurred_at": _OCCURRED_AT}
RETAG_DENIAL: dict[str, Any] = {"cause": "标签完好 the label is whole", "occurred_at": _OCCURRED_AT}
SENDING: dict[str, Any] = {
    "id": "co_01.2026.000034",
    "code": _CODE,
    "body_id": "ib_01",
    "occurred_at": _OCCURRED_AT,
}
LOSS: dict[str, Any] = {
    "id": "co_01.2026.000035",
    "code": _CODE,
    "cause": "运输途中丢失 lost on the way",
    "report_no": "示例报案 0001",
    "occurred_at": _OCCURRED_AT,
}
FINDING: dict[str, Any] = {
    "id": "co_01.2026.000036",
    "code": _CODE,
    "cause": "找回 found",
    "occurred_at": _OCCURRED_AT,
}
USE_REGISTRATION: dict[str, Any] = {
    "id": "au_01.2026.000013",
    "code": _CODE,
    "registration_no": "示例登记 0001",
    "registered_on": "2026-06-02",
    "occurred_at": _OCCURRED_AT,
}
CANCELLATION: dict[str, Any] = {
    "id": "au_01.2026.000014",
    "code": _CODE,
    "receipt_no": "示例注销 0001",
    "cause": "已去功能化 made unusable",
    "occurred_at": _OCCURRED_AT,
}
RESOLUTION: dict[str, Any] = {
    "outcome": "upheld",
    "reason": "复核属实 looked at again, true",
    "occurred_at": _OCCURRED_AT,
}
LOCK: dict[str, Any] = {
    "id": "au_01.2026.000009",
    "station_id": "st_01",
    "scale_id": "sc_01_3",
    "locked": True,
    "cause": "检定铅封破损 broken seal",
    "occurred_at": _OCCURRED_AT,
}
AUTHORITY_KEY: dict[str, Any] = {
    "id": "service.2026.000001",
    "authority_id": "au_01",
    "vkey": "au_01+13cf4ff5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    "occurred_at": _OCCURRED_AT,
}
BINDING: dict[str, Any] = {
    "id": "co_01.2026.000030",
    "code": _CODE,
    "new_code": "province:ZJ330100000017",
    "occurred_at": _OCCURRED_AT,
}
REGISTRATION: dict[str, Any] = {
    "id": "co_01.2026.000029",
    "code": _CODE,
    "stamp": {
        "maker": "示例制造单位",
        "serial": "A26050007",
        "model": "YSP35.5",
        "manufactured_month": "2026-05",
        "tare_g": 16_500,
        "water_volume_ml": 35_500,
        "max_fill_g": 14_900,
    },
    "in_service_on": "2026-06-01",
    "technical": {"certificate": "present", "head_mark": "present", "head_mark_owner_id": "co_01"},
    "occurred_at": _OCCURRED_AT,
}
TRANSFER: dict[str, Any] = {
    "id": "co_01.2026.000031",
    "code": _CODE,
    "to_owner_id": "co_02",
    "occurred_at": _OCCURRED_AT,
}
MAKING: dict[str, Any] = {
    "id": "mk_01.2026.000021",
    "code": _CODE,
    "stamp": REGISTRATION["stamp"],
    "made_on": "2026-05-18",
    "certificate_no": "示例合格证 A26050007",
    "batch_no": "2026-05-B",
    "occurred_at": _OCCURRED_AT,
}
LOT_ARRIVAL: dict[str, Any] = {
    "id": "co_01.2026.000040",
    "lot_id": "lot_2026_11_22_1",
    "station_id": "st_01",
    "supplier_id": "sup_01",
    "product": "lpg",
    "mass_g": 22_400_000,
    "document_no": "示例送货单 0001",
    "occurred_at": _OCCURRED_AT,
}
LOT_TESTING: dict[str, Any] = {
    "id": "co_01.2026.000041",
    "laboratory_id": "lab_01",
    "report_no": "示例气质报告 0001",
    "passed": True,
    "dimethyl_ether_ppm": 120,
    "odorant_present": True,
    "occurred_at": _OCCURRED_AT,
}
LOT_RELEASE: dict[str, Any] = {
    "id": "co_01.2026.000042",
    "report_no": "示例气质报告 0001",
    "occurred_at": _OCCURRED_AT,
}
LOT_BLOCK: dict[str, Any] = {
    "id": "au_01.2026.000015",
    "cause": "二甲醚超标 too much dimethyl ether",
    "occurred_at": _OCCURRED_AT,
}
STATION_LICENCE: dict[str, Any] = {
    "id": "au_01.2026.000016",
    "station_id": "st_01",
    "company_id": "co_01",
    "licence_no": "示例充装许可 0001",
    "valid_until": "2028-12-31",
    "region": "330000",
    "occurred_at": _OCCURRED_AT,
}
SCALE_VERIFICATION: dict[str, Any] = {
    "id": "au_01.2026.000017",
    "station_id": "st_01",
    "scale_id": "sc_01_3",
    "valid_until": "2027-05-31",
    "occurred_at": _OCCURRED_AT,
}
CERTIFICATE: dict[str, Any] = {
    "id": "au_01.2026.000018",
    "worker_id": "fl_01_1",
    "certificate_no": "示例作业人员证 0001",
    "scope": "filling",
    "valid_from": "2025-01-01",
    "valid_until": "2028-12-31",
    "station_id": "st_01",
    "occurred_at": _OCCURRED_AT,
}
CORRECTION: dict[str, Any] = {
    "id": "au_01.2026.000019",
    "entry_id": "co_01.2026.000029",
    "field": "stamp.serial",
    "now": "A26050008",
    "reason": "录入错误 typed wrongly",
    "approver_id": "regulator_02",
    "evidence": [{"sha256": "0" * 64, "media_type": "image/jpeg", "size": 182_044}],
    "occurred_at": _OCCURRED_AT,
}
CUT_OFF: dict[str, Any] = {"cause": "电脑被盗 the computer was stolen"}
CLIENT: dict[str, Any] = {
    "client_id": "dispatch.example",
    "role": "delivery",
    "org_id": "co_01",
    "scope": "sale:write",
    "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
}
USER: dict[str, Any] = {"user_id": "li", "role": "checker", "org_id": "st_01"}
INVITATION_ACCEPTED: dict[str, Any] = {"code": "4X7K-9QRT-2MWZ-B8ND", "password": "eight small green cylinders"}
SIGN_IN: dict[str, Any] = {"user_id": "li", "password": "eight small green cylinders", "totp": "123456"}
PASSWORD_CHANGE: dict[str, Any] = {"old": "eight small green cylinders", "new": "nine large silver cylinders"}
WEBHOOK: dict[str, Any] = {
    "url": "https://erp.example/pinglian",
    "types": ["org.pinglian.cylinder.filled.v1", "org.pinglian.fill.decided.v1"],
}
WEBHOOK_CHANGE: dict[str, Any] = {"url": "https://erp.example/pinglian-2", "state": "on"}
WEBHOOK_REPLAY: dict[str, Any] = {"from_at": _OCCURRED_AT}
