"""Other proxies that `compare` measures beside tidegate where their binary is on the PATH: how each is configured and started.

Each has one thread, as HAProxy has, and no TLS. Where tidegate shares connections (mode transaction), so do they, as far as they
can, over as many backends.
"""

import os
import shutil


class ProxySQL:
    name = "ProxySQL"
    binary = "proxysql"
    version_of = (["proxysql", "--version"], r"version (\S+?),?\s")

    def command(self, config):
        return ["proxysql", "--initial", "-f", "-c", str(config), "-D", str(self.folder)]

    def config(self, backends):
        shares = self.bench.options.mode == "transaction"
        user, password, schema = self.bench.login()
        return f"""datadir="{self.folder}"
errorlog="{self.folder}/error.log"
admin_variables=
{{
    admin_credentials="admin:admin"
    mysql_ifaces="{self.folder}/admin.sock"
}}
mysql_variables=
{{
    threads=1
    max_connections={self.bench.most_clients()}
    interfaces="127.0.0.1:{self.port}"
    default_schema="{schema}"
    multiplexing={"true" if shares else "false"}
    monitor_enabled=false
    have_ssl=false
}}
mysql_servers=
(
    {{
        address="127.0.0.1"
        port={self.bench.server_port}
        hostgroup=0
        max_connections={backends if shares else self.bench.most_clients()}
    }}
)
mysql_users=
(
    {{
        username="{user}"
        password="{password}"
        default_hostgroup=0
        max_connections={self.bench.most_clients()}
        active=1
    }}
)
"""


class MySQLRouter:
    name = "MySQL Router"
    binary = "mysqlrouter"
    version_of = (["mysqlrouter", "--version"], r"Ver (\S+)")

    def command(self, config):
        return ["mysqlrouter", "--config", str(config)]

    def config(self, backends):
        shares = self.bench.options.mode == "transaction"
        pool = f"[connection_pool]\nmax_idle_server_connections={backends}\nidle_timeout=60\n" if shares else ""
        return f"""[DEFAULT]
logging_folder=
runtime_folder={self.folder}
data_folder={self.folder}
max_total_connections={self.bench.most_clients()}
[logger]
level=WARNING
[io]
threads=1
{pool}[routing:mysql]
bind_address=127.0.0.1
bind_port={self.port}
destinations=127.0.0.1:{self.bench.server_port}
routing_strategy=first-available
protocol=classic
client_ssl_mode=DISABLED
server_ssl_mode=DISABLED
connection_sharing={1 if shares else 0}
max_connections={self.bench.most_clients()}
"""


class MaxScale:
    name = "MaxScale"
    binary = "maxscale"
    version_of = (["maxscale", "--version"], r"MaxScale (\S+)")

    def command(self, config):
        folders = [f"--{name}={self.folder}" for name in ("logdir", "datadir", "cachedir", "piddir", "persistdir")]
        as_root = ["--user=root"] if os.getuid() == 0 else []
        return ["maxscale", "--nodaemon", f"--config={config}", *folders, *as_root]

    def config(self, backends):
        shares = self.bench.options.mode == "transaction"
        pool = f"persistpoolmax={backends}\npersistmaxtime=3600s\n" if shares else ""
        sharing = "idle_session_pool_time=0s\n" if shares else ""
        return f"""[maxscale]
threads=1
admin_enabled=false
skip_name_resolve=true
[db]
type=server
address=127.0.0.1
port={self.bench.server_port}
{pool}[service]
type=service
router=readconnroute
router_options=running
servers=db
user=monitor
password=monitor
max_connections={self.bench.most_clients()}
{sharing}[listener]
type=listener
service=service
protocol=MariaDBClient
address=127.0.0.1
port={self.port}
"""


def here():
    """Those whose binary is on the PATH."""
    return [kind for kind in (ProxySQL, MySQLRouter, MaxScale) if shutil.which(kind.binary)]
