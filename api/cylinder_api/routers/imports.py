"""Taking over a company's own table of cylinders (批量建档), and taking it back (撤销导入)."""

from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from cylinder_api.access import Account, Caller
from cylinder_api.acts import importing
from cylinder_api.bodies import JsonBody, in_time, takes
from cylinder_api.idempotency import act_key, begin_act
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere
from cylinder_codes.importing import RowError
from cylinder_trace.values import Frozen, Id, Instant, Text

router = APIRouter(tags=["cylinders"])
_FILE_BYTES = 32 * 2**20
_ROWS_AT_ONCE = 1000


class RowProblem(BaseModel):
    """One cell that could not be used, and how to mend it. Row 0 is the whole file."""

    row: int
    column: str
    message: str
    message_zh: str


class ImportAnswer(BaseModel):
    """What the table holds, and what became of it; after a dry run, what would become of it."""

    import_id: str
    """By it the import can be undone."""
    sheet: str | None
    """The sheet of the workbook that was read."""
    rows: int
    registered: int
    known: int
    errors: list[RowProblem]


class ImportItem(BaseModel):
    """An import that registered cylinders, and how many of them were withdrawn since."""

    import_id: str
    company_id: str
    imported_at: Instant
    cylinders: int
    withdrawn: int


class ImportList(BaseModel):
    """Imports, oldest first."""

    items: list[ImportItem]


class Undo(Frozen):
    """Why an import is taken back."""

    cause: Text


class KeptCylinder(BaseModel):
    """A cylinder that has lived since it was imported; `because` is the first thing that happened to it."""

    cylinder_id: str
    row: int
    because: str


class UndoAnswer(BaseModel):
    """What became of the cylinders of an import: now withdrawn, withdrawn before, kept."""

    withdrawn: int
    withdrawn_before: int
    kept: list[KeptCylinder]


class TableFile(NamedTuple):
    """The file as it was sent."""

    data: bytes
    name: str


async def read_file(request: Request) -> TableFile:
    """The part `file` of a multipart body; raises Refused for one that is too large, before reading it."""
    act_key(request)  # before anything is read
    length = request.headers.get("content-length", "")
    # Chunks may come without end, whatever length is announced beside them.
    if not length.isdecimal() or "transfer-encoding" in request.headers:
        raise Refused("length_required", "send Content-Length, and no Transfer-Encoding")
    if int(length) > _FILE_BYTES:
        raise Refused("too_large", f"the body has more than {_FILE_BYTES} bytes")
    async with in_time(request), request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Refused("invalid", "/body/file: send multipart/form-data with the table as a file called file")
        table = TableFile(await file.read(), file.filename or "table")
    # Not the body itself: what parts its pieces is drawn anew each time it is sent.
    await begin_act(request, None, table.name.encode() + b"\0" + table.data)
    return table


_FILE_SCHEMA = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "CSV (UTF-8 or GB18030) or XLSX, with a row of headers.",
        }
    },
}
_FILE_EXAMPLE = {
    "file": "出厂编号,制造单位,型号,制造年月,皮重,容积,最大充装量(kg)\n"
    "A26050007,示例制造单位,YSP35.5,2026-05,16.5,35.5,14.9\n"
}
_TAKES_FILE = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": _FILE_SCHEMA, "example": _FILE_EXAMPLE}},
    }
}


@router.post(
    "/v1/imports",
    summary="Register the cylinders of a CSV or XLSX table (批量建档)",
    responses=documented("malformed_request", "length_required"),
    openapi_extra=_TAKES_FILE,
)
async def import_cylinders(
    caller: Caller,
    service: ServiceHere,
    file: Annotated[TableFile, Depends(read_file)],
    dry_run: bool = False,
) -> ImportAnswer:
    """Good rows are registered, bad ones are told with what to mend. The same file twice changes nothing."""
    forms = service.settings.forms
    reader = service.ledger.reader
    table = await run_in_threadpool(importing.read_table, *file, caller.org_id, service.keys.tag, forms, reader)
    registered, known, errors = 0, 0, list(table.errors)
    for start in range(0, len(table.rows), _ROWS_AT_ONCE):
        rows = table.rows[start : start + _ROWS_AT_ONCE]
        act: Any = partial(
            importing.import_rows, import_id=table.import_id, rows=rows, company_id=caller.org_id, dry_run=dry_run
        )
        part = await service.commit(act)
        registered, known = registered + part.registered, known + part.known
        errors += part.errors
    bad_rows = {error.row_number for error in table.errors if error.row_number}
    return ImportAnswer(
        import_id=table.import_id,
        sheet=table.source.source.name or None,
        rows=len(table.rows) + len(bad_rows),
        registered=registered,
        known=known,
        errors=[_problem(error) for error in sorted(errors, key=lambda error: error.row_number)],
    )


def _whose(caller: Account) -> str | None:
    """The company whose imports the caller is confined to."""
    return caller.org_id if caller.role == "company" else None


@router.get("/v1/imports", summary="Imports so far, oldest first", responses=documented())
def list_imports(caller: Caller, service: ServiceHere) -> ImportList:
    """A company sees its own."""
    past = importing.list_imports(service.ledger.reader, _whose(caller))
    return ImportList(items=[ImportItem(**item._asdict()) for item in past])


@router.post(
    "/v1/imports/{import_id}/undo",
    summary="Take an import back (撤销导入)",
    responses=documented("not_json", "import_unknown"),
    openapi_extra=takes(Undo, {"cause": "列错位 the columns had shifted"}),
)
async def undo_import(
    import_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    undo: Annotated[Undo, Depends(JsonBody(Undo))],
) -> UndoAnswer:
    """Cylinders that have not lived since are withdrawn, their codes are free again; the others are kept and listed.

    Nothing is erased. Undoing twice changes nothing, and finishes what was cut off.
    """
    reader = service.ledger.reader
    company_id = await run_in_threadpool(importing.find_import, reader, import_id, _whose(caller))
    withdrawn, before, kept = 0, 0, list[importing.Kept]()
    for subjects in await run_in_threadpool(lambda: list(importing.imported_cylinders(reader, import_id))):
        act: Any = partial(
            importing.undo_import, import_id=import_id, company_id=company_id, subjects=subjects,
            by=caller.account_id, cause=undo.cause,
        )  # fmt: skip
        part = await service.commit(act)
        withdrawn, before, kept = withdrawn + part.withdrawn, before + part.before, kept + part.kept
    return UndoAnswer(
        withdrawn=withdrawn, withdrawn_before=before, kept=[KeptCylinder(**one._asdict()) for one in kept]
    )


def _problem(error: RowError) -> RowProblem:
    return RowProblem(
        row=error.row_number,
        column=error.column,
        message=f"{error.what}: {error.mend}",
        message_zh=f"{error.what_zh}：{error.mend_zh}",
    )
