"""The way of a request to its answer: `Pipeline.pass_through` lists the steps."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from maskline.domain.refusals import BadRequest, Refusal, Unauthorized
from maskline.model import Operation, load, restjson, support, validation
from maskline.model.routing import Match, NoOperation, Router
from maskline.operations import TABLE, AccessKey, Context, Handler, Policy
from maskline.store import Store, Transaction
from maskline.web import answers, permissions, sigv4
from maskline.web.answers import HttpAnswer
from maskline.web.audit import Note
from maskline.web.faults import Fault, OperationNotOffered, UnknownClient, UnknownOperation
from maskline.web.keys import KeyRing
from maskline.web.requests import Bodies, Receive, Scope, query_of
from maskline.web.sigv4 import Signature, SignedRequest
from maskline.web.throttle import Throttle
from maskline.web.turns import Turns

SERVICES = ("chime-sdk-voice", "maskline")
REFUSED = "refused"
LARGE = 4096  # bytes of a body that names some three hundred phone numbers


@dataclass(slots=True)
class Trail:
    """How far a request has come, for the log and for its error answer."""

    request_id: str
    operation: Operation | None = None
    access_key_id: str | None = None


class Pipeline:
    """`requests_per_second` are those of one access key, `requests_per_account` those a second of
    all keys of an account. `clock` gives the time in milliseconds since the epoch."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        most_bytes: int,
        requests_per_second: int,
        requests_per_account: int,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._policy = policy
        self._bodies = Bodies(most_bytes)
        self._clock = clock
        self._router = Router((load(name) for name in SERVICES), load(REFUSED))
        self._keys = KeyRing(store)
        self._of_key = Throttle(requests_per_second, time.monotonic, "access key")
        self._of_account = Throttle(requests_per_account, time.monotonic, "account")
        self._turns = Turns()

    async def pass_through(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, trail: Trail
    ) -> HttpAnswer:
        """The answer to a request; raises a Refusal or a Fault, and notes on the trail its way."""
        query = query_of(scope["query_string"])
        match = self._route(scope, query)  # nobody needs a key to learn that there is nothing here
        trail.operation = match.operation
        signed = signed_request(scope, headers)
        signature = sigv4.read_signature(signed)
        key = await self._claimed_key(signature)  # before strangers make us keep what they send
        body = await self._bodies.read(receive, headers, key.access_key_id)
        try:
            authenticate(signed._replace(body=body) if body else signed, signature, key)
            trail.access_key_id = key.access_key_id
            self._of_key.take(key.access_key_id)
            self._of_account.take(key.account_id)
            async with self._turn(match, key, body):
                request = request_of(scope, match, query, headers, body)
                return await self._carry_out(match, key, request, trail.request_id)
        finally:
            self._bodies.release(key.access_key_id, len(body))

    def _turn(self, match: Match, key: AccessKey, body: bytes) -> AbstractAsyncContextManager[None]:
        """What may take long waits for others of its account: who names or reads much."""
        if handler_of(match).apart or len(body) > LARGE:
            return self._turns.of(key.account_id)
        return nullcontext()

    def _route(self, scope: Scope, query: Mapping[str, list[str]]) -> Match:
        try:
            return self._router.match(scope["method"], raw_path(scope).decode("latin-1"), query)
        except NoOperation as nothing:
            raise no_operation(nothing) from None

    async def _claimed_key(self, signature: Signature) -> AccessKey:
        """The key that a request says it is signed with, which is still to be seen."""
        sigv4.check_time(signature, self._clock() / 1000)
        key = await self._keys.find(signature.claim.access_key_id)
        if key is None:
            raise UnknownClient("There is no access key of this id")
        return key

    async def _carry_out(
        self, match: Match, key: AccessKey, request: dict[str, Any], request_id: str
    ) -> HttpAnswer:
        """Authorises and runs the operation; what changes something leaves an audit record."""
        handler = handler_of(match)
        action = permissions.action_of(match.service.name, match.operation.name)

        def work(context: Context) -> dict[str, Any]:
            permissions.require_grant(context, key, action, request)
            return handler.function(context, request)

        def answer(done: dict[str, Any]) -> HttpAnswer:
            return answers.success(*restjson.serialise(match.operation, done))

        if not handler.mutates:
            return await self._store.read(
                lambda tx: answer(work(self._context(tx, key))),
                apart=handler.apart,
                piecemeal=handler.piecemeal,
            )
        note = Note(action, request, request_id)
        try:
            done = await self._store.write(
                lambda tx: note.successful(self._context(tx, key), work), beside=handler.beside
            )
        except Refusal as refusal:
            name = answers.exception_name(refusal, match.operation.errors)
            await self._store.write(
                lambda tx: note.write(self._context(tx, key), name), beside=True
            )
            raise
        if "AccessKeyId" in request:
            self._keys.changed(request["AccessKeyId"])
        return answer(done)

    def _context(self, tx: Transaction, key: AccessKey) -> Context:
        now = self._clock()
        return Context(
            tx, key.account_id, now, new_id, self._policy, key.access_key_id, self._clock
        )


def handler_of(match: Match) -> Handler:
    return TABLE[match.service.name, match.operation.name]


def no_operation(nothing: NoOperation) -> Fault:
    """The error for a request that means no operation, which tells what there is."""
    if nothing.refused:
        return OperationNotOffered(support.refusal(nothing.refused))
    methods = f" (the path answers to {', '.join(nothing.allowed)})" if nothing.allowed else ""
    offered = support.notes()["offered"]
    return UnknownOperation(f"No operation has this method and path{methods}. {offered}")


def signed_request(scope: Scope, headers: Mapping[bytes, bytes]) -> SignedRequest:
    """The request without its body."""
    return SignedRequest(scope["method"], raw_path(scope), scope["query_string"], headers, b"")


def authenticate(request: SignedRequest, signature: Signature, key: AccessKey) -> None:
    sigv4.verify(request, signature, key.secret_access_key)
    if not key.active:  # told to none but who has its secret
        raise Unauthorized("The access key is disabled")


def raw_path(scope: Scope) -> bytes:
    path: bytes = scope["raw_path"]
    return path


def request_of(
    scope: Scope,
    match: Match,
    query: Mapping[str, list[str]],
    headers: Mapping[bytes, bytes],
    body: bytes,
) -> dict[str, Any]:
    """The members of a request by name; raises BadRequest unless it is what its model says."""
    request = parse(match, query, headers, body)
    validate(match.operation, request)
    if may_hold_nul(scope, body):
        refuse_nul(request)
    return request


def parse(
    match: Match, query: Mapping[str, list[str]], headers: Mapping[bytes, bytes], body: bytes
) -> dict[str, Any]:
    try:
        return restjson.parse(match.operation, match.path_params, query, headers, body)
    except restjson.BadBody as error:
        raise BadRequest(str(error)) from None


def validate(operation: Operation, request: dict[str, Any]) -> None:
    if operation.input is not None and (faults := validation.faults(operation.input, request)):
        raise BadRequest(validation.message(faults))


def may_hold_nul(scope: Scope, body: bytes) -> bool:
    """Whether a text of a request can hold a NUL: JSON, paths and queries must write it so."""
    return b"\\u0000" in body or b"%00" in scope["raw_path"] or b"%00" in scope["query_string"]


def refuse_nul(request: dict[str, Any]) -> None:
    if holds_nul(request):
        raise BadRequest("A text holds the character U+0000, which no database keeps")


def holds_nul(value: Any) -> bool:
    """Whether a text in it, however deep, has a NUL: SQLite would keep it, PostgreSQL cannot."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(map(holds_nul, value.values()))
    return isinstance(value, list) and any(map(holds_nul, value))


def new_id() -> str:
    return str(uuid4())


def new_request_id() -> str:
    """A UUID of version 4, made quickly. From the system: a generator in this process would say the
    same again after each fork."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
