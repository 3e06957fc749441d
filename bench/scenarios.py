"""The requests that every server is asked, and the answers that it must give."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
HELLO = b"Hello, World!"


@dataclass(frozen=True)
class Scenario:
    name: str
    path: str
    connections: int = 64
    pipeline: int = 1
    body: int = 0  # bytes of a POST
    answer: bytes = HELLO
    by_wrk: bool = False  # as well as by the light client
    goal: float = None  # requests per CPU-second, as a share of raw's
    shortfall: str = ""  # why it is missed, where it is, and what would mend it

    @property
    def raw_bodies(self):
        """What raw receives and answers to do the same work; None for what it does anyway."""
        return (self.body, len(self.answer)) if self.body or len(self.answer) > KIB else None


SCENARIOS = [
    Scenario(
        "GET / c64", "/", by_wrk=True, goal=0.97,
        shortfall="what is above raw is parsing, routing and safety; fewer instructions for each request would mend "
        "it.",
    ),
    Scenario("GET / c1", "/", connections=1),
    Scenario(
        "GET / c1000", "/", connections=1000, by_wrk=True, goal=0.96,
        shortfall="each connection's state is cold when its turn comes; smaller and fewer pieces of it would mend it.",
    ),
    Scenario(
        "GET / c64 pipelined 16", "/", pipeline=16, by_wrk=True, goal=0.80,
        shortfall="system calls are shared here, so that parsing, checking and writing show most; scanning heads in "
        "larger steps, and fewer fields to clear between requests, would mend some of it.",
    ),
    Scenario(
        "GET /json c64", "/json", answer=b'{"message":"Hello, World!"}', goal=0.95,
        shortfall="a JSON value is allocated, dumped and freed for each request; writing JSON without the value would"
        " mend it.",
    ),
    Scenario(
        "GET /user/42 c64", "/user/42", answer=b"42", goal=0.98,
        shortfall="as `GET /`, and one parameter; fewer instructions for each request would mend it.",
    ),
    Scenario("100 routes, the last c64", "/route/100"),
    Scenario("10 middleware, plain c64", "/plain/hello"),
    Scenario("10 middleware, onion c64", "/onion/hello"),
    Scenario("POST echo 1 KiB c64", "/echo", body=KIB, answer=b"x" * KIB),
    Scenario("POST echo 64 KiB c64", "/echo", body=64 * KIB, answer=b"x" * 64 * KIB),
    Scenario("1 MiB file c16", "/files/mebibyte", connections=16, answer=b"x" * MIB),
]
