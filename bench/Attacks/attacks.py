"""Runs attackers from Debian, one after the other, against a fresh sensor each, and says what was told of them and when.

The attacker's namespace is joined to the victim's by a veth pair; nothing else is reachable from either. The sensor, the
services and everything attacked run in the victim's. Each line of the table: what was run, what it should be called, what
it was called, seconds from its start to the first event, and what else was told. Benign runs should be told nothing.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ATTACKER, VICTIM = "weir-attacker", "weir-victim"
HOST, NET, PEER = "10.77.0.2", "10.78.0.0/24", "10.77.0.1"

FTP = """
import socketserver
class Login(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 ready\\r\\n")
        wrong = 0
        while wrong < 3 and (line := self.rfile.readline()):
            word = line.split(b" ")[0].strip().upper()
            wrong += word == b"PASS"
            answer = {b"USER": b"331 password", b"PASS": b"530 wrong", b"QUIT": b"221 bye"}.get(word, b"500 what")
            self.wfile.write(answer + b"\\r\\n")
            if word == b"QUIT": return
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("0.0.0.0", 21), Login).serve_forever()
"""

DNS = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
while True:
    question, client = server.recvfrom(512)
    end = question.index(b"\\0", 12) + 5
    head = question[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0"
    server.sendto(head + question[12:end] + b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\x0a\\x4d\\0\\2", client)
"""

KEEPALIVE = """
import http.client, random, time, sys
random.seed(int(sys.argv[1]))
link = http.client.HTTPConnection("10.77.0.2", 80)
end = time.time() + float(sys.argv[2])
while time.time() < end:
    link.request("GET", random.choice(["/", "/page", "/medium"]))
    link.getresponse().read()
    time.sleep(random.expovariate(1 / 3))
"""

CROWD = """
import asyncio, random, sys, time
random.seed(7)
async def person(end):
    while time.time() < end:
        await asyncio.sleep(random.expovariate(1 / 5))
        try:
            reader, writer = await asyncio.open_connection("10.77.0.2", 80)
            for _ in range(random.randint(1, 4)):
                writer.write(b"GET " + random.choice([b"/", b"/page", b"/medium"]) + b" HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
                head = await reader.readuntil(b"\\r\\n\\r\\n")
                size = int(head.lower().split(b"content-length:")[1].split()[0])
                await reader.readexactly(size)
                await asyncio.sleep(random.expovariate(1))
            writer.close()
        except OSError: pass
async def main(people, seconds):
    end = time.time() + seconds
    await asyncio.gather(*[person(end) for _ in range(people)])
asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
"""


def run(*words, check=True, **options):
    return subprocess.run(words, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def inside(space, *words):
    return ["ip", "netns", "exec", space, *words]


class World:
    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        self.folder = tempfile.mkdtemp(prefix="weir-attacks-")
        self.services = []

    def __enter__(self):
        for space in (ATTACKER, VICTIM):
            run("ip", "netns", "del", space, check=False)
            run("ip", "netns", "add", space)
            run(*inside(space, "ip", "link", "set", "lo", "up"))
        run("ip", "link", "add", "weir-a", "netns", ATTACKER, "type", "veth", "peer", "name", "weir-v", "netns", VICTIM)
        for space, link, address, six in ((ATTACKER, "weir-a", PEER, "fd77::1"), (VICTIM, "weir-v", HOST, "fd77::2")):
            run(*inside(space, "ip", "address", "add", address + "/24", "dev", link))
            run(*inside(space, "ip", "address", "add", six + "/64", "dev", link, "nodad"))
            run(*inside(space, "ip", "link", "set", link, "up"))
        run(*inside(ATTACKER, "ip", "route", "add", "default", "via", HOST))
        run(*inside(VICTIM, "ip", "route", "add", "default", "via", PEER))
        run(*inside(VICTIM, "ip", "route", "add", "local", NET, "dev", "lo"))
        # As a host on the Internet has it; the default would refuse at most one closed port in a second.
        run(*inside(VICTIM, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0"))
        self.start_services()
        return self

    def __exit__(self, *_):
        for process in self.services:
            process.kill()
        for space in (ATTACKER, VICTIM):
            found = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True).stdout.split()
            for pid in found:
                os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "del", space, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, space, *words, keep=True):
        process = subprocess.Popen(
            inside(space, *words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self.folder, start_new_session=True,
        )
        if keep:
            self.services.append(process)
        return process

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start_services(self):
        pages = os.path.join(self.folder, "pages")
        os.makedirs(pages)
        os.chmod(self.folder, 0o755)
        for name, size in (("index.html", 2_000), ("page", 20_000), ("medium", 300_000), ("big", 200_000_000)):
            with open(os.path.join(pages, name), "wb") as file:
                file.write(os.urandom(1000) * (size // 1000))
        self.write("nginx.conf", f"""
            daemon off; pid {self.folder}/nginx.pid; error_log /dev/null; worker_processes 1;
            events {{ worker_connections 8192; }}
            http {{ access_log off; keepalive_requests 100000; client_max_body_size 0; client_body_temp_path {self.folder}/b;
                   server {{ listen 80; listen [::]:80; root {pages}; location /form {{ proxy_pass http://127.0.0.1:81; }} }}
                   server {{ listen 127.0.0.1:81; return 200; }} }}""")
        self.spawn(VICTIM, "nginx", "-c", f"{self.folder}/nginx.conf")
        key = f"{self.folder}/host"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/user")
        os.makedirs("/run/sshd", exist_ok=True)
        shutil.copy(f"{self.folder}/user.pub", f"{self.folder}/keys")
        self.write("sshd", f"""
Port 22
HostKey {key}
PidFile none
MaxStartups 200
StrictModes no
AuthorizedKeysFile {self.folder}/keys
PermitRootLogin yes
UsePAM no
""")
        self.spawn(VICTIM, "/usr/sbin/sshd", "-D", "-f", f"{self.folder}/sshd")
        self.spawn(VICTIM, "python3", self.write("ftp.py", FTP))
        self.spawn(VICTIM, "python3", self.write("dns.py", DNS))
        self.spawn(VICTIM, "iperf3", "-s")
        for name, text in (("keepalive.py", KEEPALIVE), ("crowd.py", CROWD)):
            self.write(name, text)
        self.write("words", "".join(f"word{number}\n" for number in range(400)))
        time.sleep(1)

    def ssh(self, command):
        return (f"ssh -q -i {self.folder}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
                f"root@{HOST} '{command}'")


class Sensor:
    """A fresh one, which tells its events into a file."""

    def __init__(self, world):
        self.folder = tempfile.mkdtemp(prefix="sensor-", dir=world.folder)
        config = os.path.join(self.folder, "weir.yaml")
        with open(config, "w") as file:
            file.write("publish:\n  threats:\n    file: events.jsonl\n"
                       f"detect:\n  home: [{HOST}, {NET}, 'fd77::2']\n")
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(
            inside(VICTIM, world.binary, "run", "--config", config, "--interface", "weir-v", "--data-dir", self.folder),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder)
        socket = os.path.join(self.folder, "weir.sock")
        for _ in range(100):
            if os.path.exists(socket):
                break
            time.sleep(0.1)
        else:
            raise SystemExit("the sensor did not start:\n" + open(self.log.name).read()[-2000:])
        time.sleep(1.5)

    def events(self):
        path = os.path.join(self.folder, "events.jsonl")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def attacks(world):
    """Name, what it should be called, seconds to wait for it, command."""
    scan = f"nmap -n -Pn --max-retries 1 --host-timeout 60s"
    ports = "-p 1000-1099"
    for timing in "T2 T3 T4 T5".split():
        few = "-p 1000-1029" if timing == "T2" else ports
        yield f"nmap -sS -{timing}", r"scan\.vertical\.syn", 40, f"{scan} -sS -{timing} {few} {HOST}"
    yield "nmap -sS -T1", r"scan\.(vertical|slow)\.syn", 420, f"nmap -n -Pn -sS -T1 -p 1000-1025 {HOST}"
    for flag, name in (("-sT", "connect|syn"), ("-sF", "fin"), ("-sN", "null"), ("-sX", "xmas"), ("-sM", "maimon"),
                       ("-sA", "ack|window"), ("-sW", "ack|window"), ("-sU", "udp"), ("-sY", "sctp"), ("-sO", "ip")):
        what = "" if flag == "-sO" else ports
        yield f"nmap {flag}", rf"scan\.vertical\.({name})", 40, f"{scan} {flag} -T4 {what} {HOST}"
    yield "nmap 25 ports", r"scan\.vertical\.syn", 20, f"{scan} -sS -T4 -p 2000-2024 {HOST}"
    yield "nmap -sS IPv6", r"scan\.vertical\.syn", 20, f"{scan} -6 -sS -T4 {ports} fd77::2"
    yield "nmap -sn sweep", r"scan\.horizontal\.icmp", 20, f"nmap -n -sn -PE {NET}"
    yield "nmap one port of a net", r"scan\.horizontal\.syn", 20, f"{scan} -sS -T4 -p 8443 {NET}"
    yield "masscan of a net", r"scan\.(block|horizontal)\.syn", 20, (
        f"masscan {NET} -p 1-100 --rate 2000 --wait 0 --interface weir-a --router-mac "
        "$(ip -n weir-victim -br link show weir-v | awk '{print $3}') --source-ip 10.77.0.1")
    spoofed = f"timeout 8 hping3 -q --rand-source {HOST}"
    yield "SYN flood", r"flood\.syn", 8, f"{spoofed} --flood -S -p 80"
    yield "SYN flood 5,000/s", r"flood\.syn", 8, f"{spoofed} -i u200 -S -p 80"
    yield "ACK flood", r"flood\.ack", 8, f"{spoofed} --flood -A -p 80"
    yield "RST flood", r"flood\.rst", 8, f"{spoofed} --flood -R -p 80"
    yield "FIN flood", r"flood\.(fin|irregular)", 8, f"{spoofed} --flood -F -A -p 80"
    yield "Xmas flood", r"flood\.irregular", 8, f"{spoofed} --flood -F -P -U -p 80"
    yield "UDP flood", r"flood\.udp", 8, f"{spoofed} --flood --udp -p 9999 -d 200"
    yield "ICMP flood", r"flood\.icmp", 8, f"{spoofed} --flood --icmp"
    yield "fragment flood", r"flood\.fragment", 8, f"{spoofed} --flood --udp -p 9999 -x -g 64 -d 64"
    yield "DNS reflection", r"flood\.reflection\.dns", 8, f"{spoofed} --flood --udp -s 53 -k -p 4444 -d 1200"
    yield "NTP reflection", r"flood\.reflection\.ntp", 8, f"{spoofed} --flood --udp -s 123 -k -p 4444 -d 440"
    yield "carpet bombing", r"flood\.carpet", 12, (
        "for n in $(seq 1 60); do timeout 10 hping3 -q --udp --flood -p 7 10.78.0.$n & done; wait")
    url = f"http://{HOST}/"
    for mode, name, extra in (("-H", "headers", ""), ("-B", "body", "-s 100000"), ("-X", "read", "-w 10 -y 20 -n 5 -z 32 -k 3")):
        target = url + {"-H": "", "-B": "form", "-X": "big"}[mode]
        yield f"slowhttptest {mode}", rf"slow\.{name}", 60, (
            f"timeout 60 slowhttptest {mode} -c 200 -r 50 -i 10 -l 60 {extra} -u {target} -p 3")
    yield "goldeneye", r"flood\.(requests|connections)", 30, f"timeout 30 goldeneye {url} -w 4 -s 100"
    yield "wrk from one client", r"flood\.requests", 30, f"wrk -t 1 -c 100 -d 20 {url}"
    yield "ab without keep-alive", r"flood\.(requests|connections)", 30, f"timeout 20 ab -t 20 -n 10000000 -c 50 {url}"
    yield "hydra ssh", r"bruteforce\.ssh", 60, f"timeout 60 hydra -l root -P {world.folder}/words -t 4 ssh://{HOST}"
    yield "hydra ftp", r"bruteforce\.ftp", 60, f"timeout 60 hydra -l root -P {world.folder}/words -t 8 ftp://{HOST}"
    yield "iodine", r"tunnel\.dns", 60, (
        f"pkill -f [d]ns.py; ip netns exec {VICTIM} iodined -f -c -P secret 10.99.0.1 t.example.org & sleep 1; "
        f"iodine -f -r -P secret {HOST} t.example.org & sleep 6; timeout 45 ping -q -i 0.05 -s 400 10.99.0.1; "
        "pkill iodine; pkill iodined")


def benign(world):
    """Name, seconds, command."""
    url = f"http://{HOST}/"
    yield "iperf3", 20, f"iperf3 -c {HOST} -t 15; iperf3 -c {HOST} -t 5 -R"
    yield "iperf3 udp", 15, f"iperf3 -c {HOST} -u -b 200M -t 12"
    yield "download", 30, f"for n in 1 2 3 4 5; do curl -s -o /dev/null {url}big; sleep 1; done"
    yield "keep-alive users", 40, (
        f"for n in $(seq 20); do python3 {world.folder}/keepalive.py $n 35 & done; wait")
    yield "500 people behind one address", 45, f"python3 {world.folder}/crowd.py 500 40"
    yield "flash crowd", 45, (
        "for n in $(seq 2 200); do ip addr add 10.77.1.$n/32 dev weir-a 2>/dev/null; done; "
        f"ip netns exec {VICTIM} ip route replace 10.77.1.0/24 via {PEER}; "
        f"for n in $(seq 2 200); do (for m in $(seq 12); do curl -s --interface 10.77.1.$n -o /dev/null {url}page {url}; "
        "sleep 2; done) & done; wait")
    yield "rsync", 25, (
        f"mkdir -p {world.folder}/tree; for n in $(seq 3000); do head -c 3000 /dev/urandom > {world.folder}/tree/$n; done; "
        f"rsync -a -e \"{world.ssh('').split('root@')[0]}\" {world.folder}/tree root@{HOST}:{world.folder}/copy")
    yield "ssh", 20, f"for n in 1 2 3 4 5; do {world.ssh('uptime; sleep 1')}; sleep 2; done"
    yield "dns", 20, f"for n in $(seq 200); do dig +short +tries=1 @{HOST} host$n.example.com >/dev/null; sleep 0.05; done"
    yield "health checks", 30, f"for n in $(seq 28); do curl -s -o /dev/null {url}; sleep 1; done"
    yield "ping", 10, f"ping -q -i 0.2 -c 40 {HOST}"


def measure(world, name, expected, seconds, command):
    sensor = Sensor(world)
    start = time.time()
    process = subprocess.Popen(
        inside(ATTACKER, "bash", "-c", command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd=world.folder, start_new_session=True)
    found, delay = None, None
    ended = None
    while time.time() - start < seconds + 12:
        if expected:
            found = next((event for event in sensor.events() if re.fullmatch(expected, event["class"])), None)
            if found:
                delay = time.time() - start
                break
        if process.poll() is not None and ended is None:
            ended = time.time()
        # A scan may be known by the silence after its last probe alone.
        if ended and time.time() - ended > 9:
            break
        time.sleep(0.05)
    time.sleep(1)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    sensor.stop()
    events = sensor.events()
    others = sorted({e["class"] for e in events if not (expected and re.fullmatch(expected, e["class"]))})
    return found, delay, others, events


def main():
    binary, names = sys.argv[1], sys.argv[2:]
    wanted = lambda name: not names or any(part in name for part in names)
    detected = total = false = 0
    with World(binary) as world:
        print(f"{'what':32} {'told as':26} {'after s':>8}  else")
        for name, expected, seconds, command in attacks(world):
            if not wanted(name):
                continue
            total += 1
            found, delay, others, _ = measure(world, name, expected, seconds, command)
            detected += found is not None
            told = found["class"] if found else "MISSED"
            print(f"{name:32} {told:26} {f'{delay:.1f}' if delay else '-':>8}  {' '.join(others)}", flush=True)
            fields = {"bench": "Attacks", "measure": name, "detected": int(found is not None), "others": len(others)}
            print(json.dumps(fields | ({"seconds": round(delay, 1)} if delay else {})))
        quiet = 0.0
        for name, seconds, command in benign(world):
            if not wanted(name):
                continue
            begin = time.time()
            _, _, others, events = measure(world, name, None, seconds, command)
            quiet += time.time() - begin
            false += len({event["id"] for event in events})
            print(f"{name:32} {'-':26} {'-':>8}  {' '.join(others) or 'silent'}", flush=True)
            print(json.dumps({"bench": "Attacks", "measure": "benign " + name, "incidents": len(others)}))
    print(f"{detected} of {total} attacks told as their own class; {false} incidents in {quiet / 60:.0f} benign minutes")


main()
