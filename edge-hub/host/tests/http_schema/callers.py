"""Who calls the HTTP API while schemathesis tries it: the environment says which of the three kinds.

Only whoever brings a token is known by it. A server with a key, and in development anybody, says for
whom it asks: `user` is a part of its credentials, and so it is added here where a request has none.
"""

import base64
import hashlib
import hmac
import json
import os
import time

import schemathesis

CALLER = os.environ["CALLER"]
SECRET = os.environ["CALLER_SECRET"]


def token():
    """A token by HS256 of an administrator, so that what only they may do is tried too."""

    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"iss": "test", "aud": "chat", "sub": "ada", "exp": int(time.time()) + 3600, "role": "admin"}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    signed = b".".join(encoded(json.dumps(part).encode()) for part in parts)
    signature = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encoded(signature)).decode()


if CALLER != "name":

    @schemathesis.auth()
    class Credential:
        """The header that a token or a key travels in."""

        def get(self, case, context):
            return token() if CALLER == "token" else SECRET

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Bearer {data}"


# OpenAPI has no words for parameters of which only one may be there; the system tests give two.
ONE_OF = ["after", "before", "from"]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Says for whom it asks, and where only one way to read may be asked for, asks for one."""
    if case.meta is None or case.meta.generation.mode.is_positive:
        for more in [name for name in ONE_OF if name in case.query][1:]:
            del case.query[more]
    names_user = isinstance(case.body, dict) and case.body.get("user") is not None
    if CALLER != "token" and not names_user and "user" not in case.query:
        case.query["user"] = "ada"
