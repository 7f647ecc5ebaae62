"""The recogniser behind FastAPI, without batches: `uvicorn measuring.speed.apps.fastapi_app:app --workers 2`."""

from fastapi import FastAPI, Request, Response

from measuring.speed.apps.peer_recogniser import Recogniser

app = FastAPI()
recogniser = Recogniser()


@app.post("/inference")
async def read(request: Request) -> Response:
    """Read one picture in the event loop: a thread for it would cost more than it saves."""
    [answer] = recogniser.read([await request.body()])
    return Response(answer, media_type="application/json")
