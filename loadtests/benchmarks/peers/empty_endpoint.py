"""The least that the same framework can do for a fill check, or for a label: take what is sent, validate it, answer.

No authentication, no rules, no ledger. Run by uvicorn with one worker, like the service.
"""

from fastapi import FastAPI

from cylinder_trace.decision import FillRequest

app = FastAPI()


@app.post("/v1/fill-checks")
async def check_fill(request: FillRequest) -> dict[str, str]:
    """Answer with the id of the check."""
    return {"check_id": request.check_id}


@app.get("/c/{code}")
async def look_up(code: str) -> dict[str, str]:
    """Answer with the code."""
    return {"code": code}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer when ready."""
    return {"status": "ok"}
