"""The catalogue of problems (问题目录): what each code means and what to do next, for people."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from cylinder_api.catalogue import PAGES, WORDS, page_of
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused

router = APIRouter(tags=["problems"])


@router.get(
    f"{PAGES}/{{code}}",
    summary="What a problem's code means, and what to do next",
    response_class=HTMLResponse,
    responses=documented("not_found", public=True),
)
async def get_problem_page(code: Annotated[str, Path(max_length=80)]) -> str:
    """A small page, Chinese and English."""
    if code not in WORDS:
        raise Refused("not_found", "there is no such code of a problem")
    return page_of(code)
