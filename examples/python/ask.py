"""Asks a question and prints the answer as it is made. Questions with the same --label are one conversation.

    pip install ./gen/python
    python3 examples/python/ask.py --label trip "write 40 words slowly"

Needs an engine (npm start), and finds it by PARLEY_URL and PARLEY_TOKEN, else by the data directory. Kill the engine while it
answers and start it again: the text goes on, nothing of it twice. Exit code: 0 the turn completed, 1 it failed or was
interrupted, 4 the engine refused, 5 it reached a limit, 6 somebody cancelled it.
"""

import argparse
import json
import os
import random
import sys
import time
import uuid
from pathlib import Path

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from parley_api.parley.v1.event_pb import Event, TurnEnded
from parley_api.parley.v1.message_pb import Part, Role
from parley_api.parley.v1.message_service_connect import MessageServiceClientSync
from parley_api.parley.v1.message_service_pb import StartTurnRequest, WatchSessionRequest
from parley_api.parley.v1.session_service_connect import SessionServiceClientSync
from parley_api.parley.v1.session_service_pb import CreateSessionRequest, ListSessionsRequest
from parley_api.parley.v1.turn_pb import TurnEndReason
from protobuf import Oneof
from pyqwest import SyncClient, SyncHTTPTransport

MAX_SILENCE_S = 35  # two heartbeats of 15 s, and a little for the way
HTTP = SyncClient(SyncHTTPTransport(read_timeout=MAX_SILENCE_S))


def find_engine() -> tuple[str, dict[str, str]]:
    """Where the engine is, which may be another place than before a restart, and the headers that open it."""
    url, token = os.environ.get("PARLEY_URL"), os.environ.get("PARLEY_TOKEN")
    if not url:
        data_dir = Path(os.environ.get("PARLEY_DATA_DIR") or Path.home() / ".parley")
        try:
            urls = json.loads((data_dir / "engine.json").read_text())["urls"]
        except FileNotFoundError:
            raise ConnectError(Code.UNAVAILABLE, "no engine is running; start one with `parley serve`") from None
        # An engine may listen in several places; sockets in the file system and TLS are not for this small program.
        url = next((each for each in urls if each.startswith("http://")), None)
        if url is None:
            sys.exit(f"ask: none of {urls} is plain HTTP; name one with PARLEY_URL and PARLEY_TOKEN")
        token = (data_dir / "token").read_text().strip()
    return url, {"authorization": f"Bearer {token}"}


class Question:
    """What is asked, and how far its answer was read."""

    def __init__(self, label: str, text: str) -> None:
        self.labels = {"ask": label} if label else {}
        # With their keys a second try makes no second session and no second turn, whatever became of the first.
        self.session_key, self.turn_key = str(uuid.uuid4()), str(uuid.uuid4())
        self.parts = [Part(content=Oneof("text", text))]
        self.session_id, self.turn = "", None
        self.after, self.epoch, self.shown = 0, None, ""

    def follow(self) -> TurnEnded:
        """Starts the turn unless that was done, and prints events until the turn ends or the stream breaks."""
        url, headers = find_engine()
        messages = MessageServiceClientSync(url, http_client=HTTP)
        if self.turn is None:
            self.session_id = self.session_id or self.find_session(url, headers)
            start = StartTurnRequest(session_id=self.session_id, idempotency_key=self.turn_key, parts=self.parts)
            self.turn = messages.start_turn(start, headers=headers).turn
            self.after, self.epoch, self.shown = self.turn.first_seq - 1, None, ""
        request = WatchSessionRequest(session_id=self.session_id, after_seq=self.after, log_epoch=self.epoch)
        for response in messages.watch_session(request, headers=headers):
            match response.payload:
                case Oneof("checkpoint", checkpoint):
                    self.epoch = checkpoint.log_epoch
                case Oneof("event", event):
                    self.after = event.seq
                    if event.turn_id == self.turn.id and event.payload.field == "turn_ended":
                        return event.payload.value
                    self.show(event)
        raise ConnectError(Code.UNAVAILABLE, "the engine ended the stream")

    def find_session(self, url: str, headers: dict[str, str]) -> str:
        """The newest session with this label, else a new one; always a new one without a label."""
        sessions = SessionServiceClientSync(url, http_client=HTTP)
        if self.labels:
            request = ListSessionsRequest(labels=self.labels, page_size=1)
            if found := sessions.list_sessions(request, headers=headers).sessions:
                return found[0].id
        request = CreateSessionRequest(idempotency_key=self.session_key, labels=self.labels, resume_after_restart=True)
        return sessions.create_session(request, headers=headers).session.id

    def show(self, event: Event) -> None:
        """Shows deltas as they come, and of a message that comes whole what is not on the screen yet."""
        match event.payload:
            case Oneof("message_started", _):
                self.shown = ""
            case Oneof("text_delta", delta):
                self.shown += delta.text
                print(delta.text, end="", flush=True)
            case Oneof("message_completed", completed) if completed.message.role == Role.ASSISTANT:
                whole = "".join(p.content.value for p in completed.message.parts if p.content.field == "text")
                if whole:
                    print(whole.removeprefix(self.shown) if whole.startswith(self.shown) else f"\n{whole}", flush=True)
            case Oneof("request_opened", opened):
                # The turn goes on when somebody has answered, here or elsewhere.
                waiting = f"{opened.request.title} (parley requests answer {opened.request.id})"
                print(f"ask: waiting for a human: {waiting}", file=sys.stderr, flush=True)


def ask(question: Question) -> TurnEnded:
    """Follows the answer over lost connections and restarts. Returns how the turn ended."""
    failures = 0
    while True:
        after = question.after
        try:
            return question.follow()
        except ConnectError as error:
            failures = 0 if question.after > after else failures + 1
            if error.code == Code.OUT_OF_RANGE:
                # The store is an older one now, restored from a backup: the same key finds the turn in it, or starts it again.
                question.turn = None
                print()
            elif not is_transient(error) or (question.turn is None and failures == 10):
                raise
            else:
                print("ask: the engine is away, trying again", file=sys.stderr)
        # Half of the wait is by chance, so that many clients do not come back at once.
        time.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)) * random.uniform(0.5, 1))


def is_transient(error: ConnectError) -> bool:
    """What the engine answered with a reason is final, unless it is away or full; what has no reason broke on the way."""
    if error.code in (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED):
        return True
    return all(detail.type_name != "google.rpc.ErrorInfo" for detail in error.details)


def main() -> int:
    parser = argparse.ArgumentParser(description="Asks a question and prints the answer.")
    parser.add_argument("--label", default="", help="the conversation to go on with; none = a new one")
    parser.add_argument("text", nargs="+")
    args = parser.parse_args()
    try:
        ended = ask(Question(args.label, " ".join(args.text)))
    except ConnectError as error:
        print(f"ask: {error}", file=sys.stderr)
        return 4
    if ended.error:
        print(f"ask: the turn did not complete: {ended.error.message}", file=sys.stderr)
    return {TurnEndReason.COMPLETED: 0, TurnEndReason.LIMIT_REACHED: 5, TurnEndReason.CANCELLED: 6}.get(ended.reason, 1)


if __name__ == "__main__":
    sys.exit(main())
