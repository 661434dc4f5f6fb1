"""The usual Python agent, as a measure for an idle sensor: every two seconds it reads network, processor, memory and disk
figures and the listening ports, and makes JSON of them. It publishes nothing."""
import json
import sys
import time

import psutil

if "--version" in sys.argv:
    print(f"psutil {psutil.__version__}, Python {sys.version.split()[0]}")
    sys.exit()
while True:
    network, disk, memory = psutil.net_io_counters(), psutil.disk_io_counters(), psutil.virtual_memory()
    space = psutil.disk_usage("/")
    ports = [
        {"port": c.laddr.port, "address": c.laddr.ip, "pid": c.pid}
        for c in psutil.net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    json.dumps({
        "cpu": psutil.cpu_percent(),
        "memory": memory._asdict(),
        "disk": {**space._asdict(), **(disk._asdict() if disk else {})},
        "network": network._asdict(),
        "processes": len(psutil.pids()),
        "ports": ports,
        "time": time.time(),
    })
    time.sleep(2)
