"""Taking over a company's own table of cylinders (批量建档), and taking it back (撤销导入)."""

from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from cylinder_api.access import Account, Caller
from cylinder_api.acts import importing
from cylinder_api.bodies import InTime, JsonBody, takes
from cylinder_api.idempotency import act_key, begin_act
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_codes.importing import RowError, bad_rows
from cylinder_codes.tables import write_csv
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


class RowsDone(BaseModel):
    """How many of the good rows of an import have been gone through."""

    rows: int
    done: int


class ImportProgress(BaseModel):
    """How far an import is."""

    import_id: str
    registered: int
    """Cylinders of it on file, those withdrawn since included."""
    withdrawn: int
    running: RowsDone | None
    """Null where this process does not work on it: it has ended, or was cut off and goes on when sent again."""


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
    table = await read_table_file(request)
    # Not the body itself: what parts its pieces is drawn anew each time it is sent.
    await begin_act(request, None, table.name.encode() + b"\0" + table.data)
    return table


async def read_table_file(request: Request) -> TableFile:
    """The same of a request that records nothing, and so needs no key."""
    length = request.headers.get("content-length", "")
    # Chunks may come without end, whatever length is announced beside them.
    if not length.isdecimal() or "transfer-encoding" in request.headers:
        raise Refused("length_required", "send Content-Length, and no Transfer-Encoding")
    if int(length) > _FILE_BYTES:
        raise Refused("too_large", f"the body has more than {_FILE_BYTES} bytes")
    async with InTime(request), request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Refused("invalid", "/body/file: send multipart/form-data with the table as a file called file")
        return TableFile(await file.read(), file.filename or "table")


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


_BAD_ROWS_CSV = {
    "schema": {"type": "string"},
    "example": "出厂编号,皮重,原因 reason,如何改正 how to mend\r\n00123,16.5004,皮重：…,皮重：…\r\n",
}


@router.post(
    "/v1/imports",
    summary="Register the cylinders of a CSV or XLSX table (批量建档)",
    responses=documented("malformed_request", "length_required"),
    openapi_extra=_TAKES_FILE,
)
async def import_cylinders(
    request: Request,
    caller: Caller,
    service: ServiceHere,
    file: Annotated[TableFile, Depends(read_file)],
    dry_run: bool = False,
) -> ImportAnswer:
    """Good rows are registered, bad ones are told with what to mend. The same file twice changes nothing."""
    done = await _import(request, service, caller.org_id, file, dry_run=dry_run)
    faulty = {error.row_number for error in done.table.errors if error.row_number}
    return ImportAnswer(
        import_id=done.table.import_id,
        sheet=done.table.source.source.name or None,
        rows=len(done.table.rows) + len(faulty),
        registered=done.registered,
        known=done.known,
        errors=[_problem(error) for error in done.errors],
    )


class _Done(NamedTuple):
    """What became of a table."""

    table: importing.Table
    registered: int
    known: int
    errors: list[RowError]


async def _import(request: Request, service: Service, company_id: str, file: TableFile, *, dry_run: bool) -> _Done:
    """Read the table and register its rows, some at a time; how far it is can be asked meanwhile."""
    keys, reader = service.keys, service.ledger.reader
    table = await run_in_threadpool(importing.read_table, *file, company_id, keys.tag, service.settings.forms, reader)
    under_way: dict[str, RowsDone] = request.app.state.imports
    registered, known, errors = 0, 0, list(table.errors)
    try:
        for start in range(0, len(table.rows), _ROWS_AT_ONCE):
            if not dry_run:
                under_way[table.import_id] = RowsDone(rows=len(table.rows), done=start)
            rows = table.rows[start : start + _ROWS_AT_ONCE]
            act: Any = partial(
                importing.import_rows, import_id=table.import_id, rows=rows, company_id=company_id, dry_run=dry_run
            )
            part = await service.commit(act, bulk=len(rows))
            registered, known = registered + part.registered, known + part.known
            errors += part.errors
    finally:
        under_way.pop(table.import_id, None)
    return _Done(table, registered, known, sorted(errors, key=lambda error: error.row_number))


@router.post(
    "/v1/imports/bad-rows",
    summary="The rows with errors as a sheet, to be mended and imported (错误行下载)",
    response_class=Response,
    responses={
        200: {
            "content": {"text/csv": _BAD_ROWS_CSV},
            "description": "UTF-8 with byte order mark",
        },
        **documented("malformed_request", "length_required"),
    },
    openapi_extra=_TAKES_FILE,
)
async def tell_bad_rows(
    request: Request, caller: Caller, service: ServiceHere, file: Annotated[TableFile, Depends(read_table_file)]
) -> Response:
    """A dry run: nothing is recorded. Each row stands as it was sent, with why and how to mend it behind it."""
    done = await _import(request, service, caller.org_id, file, dry_run=True)
    sheet = await run_in_threadpool(lambda: write_csv(bad_rows(done.table.source, done.errors)))
    headers = {"Content-Disposition": f'attachment; filename="bad-rows-{done.table.import_id[:8]}.csv"'}
    return Response(sheet, media_type="text/csv", headers=headers)


def _whose(caller: Account) -> str | None:
    """The company whose imports the caller is confined to."""
    return caller.org_id if caller.role == "company" else None


@router.get("/v1/imports", summary="Imports so far, oldest first", responses=documented())
def list_imports(caller: Caller, service: ServiceHere) -> ImportList:
    """A company sees its own."""
    past = importing.list_imports(service.ledger.reader, _whose(caller))
    return ImportList(items=[ImportItem(**item._asdict()) for item in past])


@router.get(
    "/v1/imports/{import_id}", summary="How far an import is (导入进度)", responses=documented("import_unknown")
)
def get_import(
    request: Request, import_id: Annotated[Id, Path()], caller: Caller, service: ServiceHere
) -> ImportProgress:
    """A dry run of the file tells the id. What was registered stands; an import that was cut off is sent again."""
    under_way: dict[str, RowsDone] = request.app.state.imports
    reader, running = service.ledger.reader, under_way.get(import_id)
    importing.find_import(reader, import_id, _whose(caller))
    return ImportProgress(
        import_id=import_id,
        registered=reader.count_under(f"import/{import_id}"),
        withdrawn=reader.count_under(f"undo/{import_id}"),
        running=running,
    )


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
        part = await service.commit(act, bulk=len(subjects))
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
