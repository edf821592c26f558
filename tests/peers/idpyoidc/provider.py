"""A standard OpenID provider of somebody else's making (the package idpyoidc), as a program of its own.

`provider.py CONFIG` reads a JSON file: `issuer`, `port`, `clients` (by their id), `access_token_seconds`, `secrets` (what outlives a restart) and
`state`, the file that sessions are kept in from one start to the next. It signs with a key that it makes at each start. On standard output it
prints a JSON object a line: that it listens, each refresh token that it was sent (its digest) with its answer, the session of each ID token that
it issued, and how a logout was heard.
"""

import hashlib
import html
import json
import signal
import sys
import threading
import urllib.parse
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
from cryptojwt.jws.jws import factory
from idpyoidc.message.oauth2 import ResponseMessage
from idpyoidc.message.oidc import AuthorizationRequest
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.oidc.session import Session
from idpyoidc.server.user_authn.user import UserAuthnMethod, create_signed_jwt

CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post"]
PAGES = {"/.well-known/openid-configuration": "provider_config", "/authorization": "authorization", "/token": "token",
         "/userinfo": "userinfo", "/session": "session"}


def tell(**event):
    """One line of what happened, for whoever started this."""
    print(json.dumps(event), flush=True)


def post_and_tell(method, url, **options):
    """The HTTP client that logout tokens are sent by."""
    response = requests.request(method, url, **options)
    tell(event="told", uri=url, status=response.status_code)
    return response


def tell_of_tokens(spent, answer):
    """What the token endpoint was asked, and what it answered."""
    if spent:
        tell(event="refresh", token=hashlib.sha256(spent.encode()).hexdigest(), error=answer.get("error"))
    if "response_args" in answer:
        tell(event="issued", sid=factory(answer["response_args"]["id_token"]).jwt.payload().get("sid"))


class Form(UserAuthnMethod):
    """A page that asks who it is, and believes whatever name is typed."""

    action = "/verify"

    def __call__(self, **request):
        context = self.upstream_get("context")
        token = create_signed_jwt(context.issuer, context.keyjar, sign_alg="ES256", **request)
        return (f'<form method="post" action="/verify"><input type="hidden" name="token" value="{html.escape(token)}">'
                '<input name="username" value=""><button>Sign in</button></form>')


class EndSession(Session):
    """As it is, but for two faults of 5.0: it takes a request without client authentication, which is how these come, for one with a token; and
    it leaves the tokens of an ended session alive, so that UserInfo answers by them and the token endpoint fails."""

    def client_authentication(self, request, http_info=None, **_):
        return {}

    def clean_sessions(self, usids):
        super().clean_sessions(usids)
        manager = self.upstream_get("context").session_manager
        for session in usids:
            for grant in manager.grants(session):
                grant.revoke_token()


class Users:
    """What UserInfo says of anybody."""

    def __init__(self, **_):
        pass

    def __call__(self, user_id, client_id, user_info_claims=None, **_):
        return {"preferred_username": user_id, "name": f"{user_id.title()} Example, of the tests", "email": f"{user_id}@example.com"}


def endpoint(cls, path, methods=None, **more):
    return {"path": path, "class": f"idpyoidc.server.oidc.{cls}", "kwargs": {"client_authn_method": methods, **more}}


def configuration(config):
    """idpyoidc's, as its own documentation has it; signatures by ES256 alone."""
    minting = ["access_token", "refresh_token", "id_token"]
    seconds = config["access_token_seconds"]
    rules = {"authorization_code": {"supports_minting": minting, "max_usage": 1, "expires_in": 120},
             "access_token": {"expires_in": seconds}, "refresh_token": {"supports_minting": minting, "expires_in": 3600}}
    crypt = {"class": "cryptojwt.jwe.fernet.FernetEncrypter", "kwargs": config["secrets"]}
    token = {"crypt_conf": crypt}
    session = {"post_logout_uri_path": "signed-out", "signing_alg": "ES256", "logout_verify_url": f"{config['issuer']}/verify_logout"}
    return {
        "issuer": config["issuer"],
        "authentication": {"user": {"acr": "form", "class": Form, "kwargs": {}}},
        "authz": {"class": "idpyoidc.server.authz.AuthzHandling", "kwargs": {"grant_config": {"usage_rules": rules, "expires_in": 43200}}},
        "add_ons": {"pkce": {"function": "idpyoidc.server.oauth2.add_on.pkce.add_support", "kwargs": {"essential": False}}},
        "cookie_handler": {"class": "idpyoidc.server.cookie_handler.CookieHandler",
                           "kwargs": {"crypt_config": crypt, "flags": {"samesite": "Lax", "httponly": True},
                                      "name": {"session": "oidc_op", "register": "oidc_op_rp", "session_management": "sman"}}},
        "endpoint": {
            "provider_config": endpoint("provider_config.ProviderConfiguration", ".well-known/openid-configuration"),
            "authorization": endpoint("authorization.Authorization", "authorization", response_types_supported=["code"]),
            "token": endpoint("token.Token", "token", CLIENT_AUTHENTICATION, revoke_refresh_on_issue=True),
            "userinfo": endpoint("userinfo.UserInfo", "userinfo", ["bearer_header"]),
            "session": {"path": "session", "class": EndSession, "kwargs": {"client_authn_method": None, **session}},
        },
        "httpc_params": {"timeout": 10},
        "key_conf": {"key_defs": [{"type": "EC", "crv": "P-256", "use": ["sig"]}]},
        "preference": {"scopes_supported": ["openid", "profile", "email"], "id_token_signing_alg_values_supported": ["ES256"],
                       "userinfo_signing_alg_values_supported": ["ES256"]},
        "session_params": {"encrypter": crypt},
        "template_dir": "",
        "token_handler_args": {"code": {"kwargs": {"lifetime": 600, **token}}, "token": {"kwargs": {"lifetime": seconds, **token}},
                               "refresh": {"kwargs": {"lifetime": 3600, **token}},
                               "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {}}},
        "userinfo": {"class": Users, "kwargs": {}},
    }


class Handler(BaseHTTPRequestHandler):
    """Carries requests to idpyoidc's endpoints, and their answers back, as its documentation shows for Flask."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.route(url.path, dict(urllib.parse.parse_qsl(url.query)))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        self.route(urllib.parse.urlsplit(self.path).path, dict(urllib.parse.parse_qsl(body)))

    def route(self, path, fields):
        """One request, whose parameters are `fields`."""
        op = self.server.op
        try:
            if path in PAGES:
                self.at_endpoint(op.endpoint[PAGES[path]], fields)
            elif path == "/jwks":
                self.answer(200, op.keyjar.export_jwks_as_json(), "application/json")
            elif path == "/favicon.ico":
                self.answer(404, "")
            else:
                {"/verify": self.verify, "/verify_logout": self.ask_whether, "/rp_logout": self.sign_out,
                 "/signed-out": lambda *_: self.answer(200, "signed out")}[path](op, fields)
        except Exception as error:  # as a web framework does
            tell(event="error", path=path, error=repr(error))
            self.answer(500, "the provider failed")

    def http_info(self):
        cookies = SimpleCookie(self.headers.get("cookie", ""))
        return {"headers": {name.lower(): value for name, value in self.headers.items()}, "url": self.path, "method": self.command,
                "cookie": [{"name": name, "value": morsel.value} for name, morsel in cookies.items()]}

    def at_endpoint(self, place, fields):
        request = place.parse_request(fields, http_info=self.http_info())
        refused = isinstance(request, ResponseMessage) and "error" in request
        more = {"issue_refresh": True} if place.name == "token" else {}
        args = request if refused else place.process_request(request, http_info=self.http_info(), **more)
        if place.name == "token":
            tell_of_tokens(fields.get("refresh_token"), args)
        if isinstance(args, ResponseMessage) and "error" in args:
            self.answer(401 if place.name == "userinfo" else 400, args.to_json(), "application/json")
        elif "redirect_location" in args:
            self.answer(302, "", location=args["redirect_location"])
        elif "http_response" in args:
            self.answer(200, args["http_response"])
        else:
            self.respond(place, request, args)

    def respond(self, place, request, args):
        """What `do_response` makes of it: a redirect with parameters, or a body."""
        cookies = args.pop("cookie", [])
        response = place.do_response(request=request, **args)
        if response.get("response_placement") == "url" or place.name == "authorization":
            self.answer(302, "", location=response["response"], cookies=cookies)
        else:
            headers = {name.lower(): value for name, value in response["http_headers"]}
            self.answer(200, response["response"], headers["content-type"])

    def verify(self, op, fields):
        """The form that `Form` made comes back."""
        method = op.context.authn_broker.default()["method"]
        asked = method.unpack_token(fields["token"])
        request = AuthorizationRequest().from_urlencoded(asked["query"])
        place = op.endpoint["authorization"]
        session = place.create_session(request, fields["username"], asked["authn_class_ref"], asked["iat"], method)
        self.respond(place, request, place.authz_part2(request=request, session_id=session))

    def ask_whether(self, op, fields):
        self.answer(200, f'<form method="post" action="/rp_logout"><input type="hidden" name="sjwt" value="{html.escape(fields["sjwt"])}">'
                    '<button name="logout" value="yes">Sign out everywhere</button></form>')

    def sign_out(self, op, fields):
        """Everywhere: by logout tokens first, then by a page whose frames are the others' front-channel logout."""
        place = op.endpoint["session"]
        asked = place.unpack_signed_jwt(fields["sjwt"])
        frames = list(place.do_verified_logout(alla=True, **asked))
        cookies, then = place.kill_cookies(), asked["redirect_uri"]
        if not frames:
            self.answer(302, "", location=then, cookies=cookies)
            return
        # idpyoidc leaves its iframe elements open, and a second one would be text of the first.
        page = "".join(f"{frame}</iframe>" for frame in frames)
        leave = f"addEventListener('load', () => location.replace({json.dumps(then)}))"
        self.answer(200, f"<!doctype html><title>Signing out</title>{page}<script>{leave}</script>", cookies=cookies)

    def answer(self, status, body, content_type="text/html", location=None, cookies=()):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body.encode())))
        if location:
            self.send_header("location", location)
        for cookie in cookies:
            ends = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT" if "expires" in cookie else ""
            self.send_header("set-cookie", f'{cookie["name"]}={cookie["value"]}; Path=/; HttpOnly; SameSite={cookie["samesite"]}{ends}')
        self.end_headers()
        self.wfile.write(body.encode())


def main():
    config = json.loads(Path(sys.argv[1]).read_text())
    op = Server(OPConfiguration(configuration(config)), httpc=post_and_tell)
    op.context.httpc = post_and_tell
    op.context.provider_info["jwks_uri"] = f"{config['issuer']}/jwks"
    for name, client in config["clients"].items():
        op.context.cdb[name] = client
        op.keyjar.add_symmetric(name, client["client_secret"])
    state, manager = Path(config["state"]), op.context.session_manager
    if state.exists():
        manager.load(json.loads(state.read_text()), init_args={"upstream_get": op.unit_get, "handler": manager.token_handler})
    http = ThreadingHTTPServer(("127.0.0.1", config["port"]), Handler)
    http.op = op
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=http.shutdown).start())
    tell(event="listening")
    http.serve_forever()
    state.write_text(json.dumps(manager.dump()))


if __name__ == "__main__":
    main()
