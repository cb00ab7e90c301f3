"""Several gateways that work as one: a Redis, a master key and a CA in common, and haproxy in front."""

import pathlib
import secrets

import haproxy
from gateway import Gateway, eventually

CA = {"type": "local_ca", "create": False}


def store_settings(redis, *, prefix="scepgate:", **more):
    """`store` of the settings, for servers of any form."""
    known = redis.description
    found = {"type": "redis", "addresses": known["addresses"], "user": known["user"], "password": {"value": known["password"]},
             "database": known["database"], "prefix": prefix}
    if redis.form in ("sentinel", "cluster"):
        found["topology"] = redis.form
    if redis.form == "sentinel":
        found |= {"master": known["master"], "sentinel_password": {"value": known["sentinel_password"]}}
    if redis.form == "tls":
        found["tls"] = {"enabled": True} | {name: known["tls"][name] for name in ("ca", "certificate", "key")}
    return found | more


class Replicas:
    """`store` changes what store_settings says; `settings` are further ones, the same for all gateways."""

    def __init__(self, folder, redis, aliases=None, *, count=3, store=None, **settings):
        self.folder, self.redis, self.aliases = pathlib.Path(folder), redis, aliases
        self.secrets = {redis.description["password"]}
        shared = self.folder / "shared"
        shared.mkdir(parents=True)
        self.master_key = shared / "master.key"
        self.master_key.write_text(f"first:{secrets.token_hex(32)}\n")
        self.master_key.chmod(0o600)
        self.ca = {"certificate": str(shared / "ca.pem"), "key": str(shared / "ca-key.pem")}
        self.settings = {
            "store": store_settings(redis, master_key={"file": str(self.master_key)}, **(store or {})),
            "backends": {"ca": CA | self.ca}, "limits": {"connections_per_address": 4096}} | settings
        self.gateways = []
        for _ in range(count):
            self.add()
        self.gateways[0].tool("ca", "init", "--key", self.ca["key"], "--cert", self.ca["certificate"], "--key-type", "rsa-2048")
        self.balancer, self.ras = None, {}

    def add(self, **changes):
        """One more gateway with the same settings, or with `changes`."""
        folder = self.folder / f"g{len(self.gateways)}"
        folder.mkdir()
        self.gateways.append(Gateway(folder, self.aliases, redis=self.redis, **(self.settings | changes)))
        self.gateways[-1].secrets = self.secrets
        return self.gateways[-1]

    def start(self):
        for gateway in self.gateways:
            gateway.write_settings()
            gateway.launch()
        for gateway in self.gateways:
            eventually(gateway.ready, "all gateways are ready")
        self.balancer = haproxy.Balancer(self.folder, self.gateways)
        eventually(self.balancer.listens, "haproxy listens")
        return self

    def close(self):
        if self.balancer:
            self.balancer.close()
        for gateway in self.gateways:
            gateway.close()
            for other in self.gateways:
                other.redis = None  # it has been looked through for all

    # ---- speaking, as a Gateway does --------------------------------------------------------------------

    def post(self, alias, message):
        return self.gateways[0].http("POST", f"/scep/{alias}?operation=PKIOperation", message,
                                     {"Content-Type": "application/x-pki-message"}, self.balancer.port)

    def bag(self, alias="demo"):
        """The certificates of GetCACert, asked for once: all gateways have the same RA."""
        if alias not in self.ras:
            self.ras[alias] = self.gateways[0].bag(alias)
        return self.ras[alias]
