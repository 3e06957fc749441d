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

    @property
    def raw_bodies(self):
        """What raw receives and answers to do the same work; None for what it does anyway."""
        return (self.body, len(self.answer)) if self.body or len(self.answer) > KIB else None


SCENARIOS = [
    Scenario("GET / c64", "/", by_wrk=True, goal=0.97),
    Scenario("GET / c1", "/", connections=1),
    Scenario("GET / c1000", "/", connections=1000, by_wrk=True, goal=0.96),
    Scenario("GET / c64 pipelined 16", "/", pipeline=16, by_wrk=True, goal=0.80),
    Scenario("GET /json c64", "/json", answer=b'{"message":"Hello, World!"}', goal=0.95),
    Scenario("GET /user/42 c64", "/user/42", answer=b"42", goal=0.98),
    Scenario("100 routes, the last c64", "/route/100"),
    Scenario("10 middleware, plain c64", "/plain/hello"),
    Scenario("10 middleware, onion c64", "/onion/hello"),
    Scenario("POST echo 1 KiB c64", "/echo", body=KIB, answer=b"x" * KIB),
    Scenario("POST echo 64 KiB c64", "/echo", body=64 * KIB, answer=b"x" * 64 * KIB),
    Scenario("1 MiB (Sake: from memory, no static files yet) c16", "/mebibyte", connections=16, answer=b"x" * MIB),
]
