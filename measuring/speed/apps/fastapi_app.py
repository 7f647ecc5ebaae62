"""Behind FastAPI and uvicorn, without batches: `uvicorn measuring.speed.apps.fastapi_app:app --workers 2`."""

from fastapi import FastAPI, Request, Response

from measuring.speed.apps.recogniser import Recogniser

app = FastAPI()
recogniser = Recogniser()


@app.post("/inference")
async def read(request: Request) -> Response:
    """Read one picture where its bytes arrive: a thread for it would cost more than it brings."""
    [answer] = recogniser.read([await request.body()])
    return Response(answer, media_type="application/json")
